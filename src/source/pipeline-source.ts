import { Fault } from '../errors.ts'
import type { ChangeBatch } from '../event.ts'
import type { Position } from '../position.ts'
import { ahead } from './ahead.ts'
import { classify } from './classify.ts'
import type { Hub } from './hub.ts'
import { imagedEvents, mayLookUp, needsLookup } from './images.ts'
import type { Lookup, Slice } from './lookup.ts'
import type { Matcher } from './match.ts'
import type { RawEvent } from './raw-event.ts'
import type { RawBatch } from './reader.ts'
import { Seat } from './seat.ts'
import type { Selection, Source } from './source.ts'

export interface PipelineSourceSettings {
  readonly selection: Selection
  readonly matches: Matcher
  readonly hub: Hub
  readonly lookup: Lookup
  readonly now: (signal: AbortSignal) => Promise<Position>
  /** Throws PositionLost where MongoDB itself is not as far as the position. */
  readonly check: (position: Position, signal: AbortSignal) => Promise<void>
}

/** One pipeline's changes on one slot, from the hub's streams, with the images that its modes want. */
export class PipelineSource implements Source {
  readonly #settings: PipelineSourceSettings
  /** Whether it has been read: who reads again after an error takes nobody back with it. */
  #begun = false

  constructor(settings: PipelineSourceSettings) {
    this.#settings = settings
  }

  now(signal: AbortSignal): Promise<Position> {
    return this.#settings.now(signal)
  }

  read(from: Position, signal: AbortSignal): AsyncGenerator<ChangeBatch, void, undefined> {
    if (!mayLookUp(this.#settings.selection)) return this.#imaged(from, signal)
    const stop = new AbortController()
    return ahead(this.#imaged(from, AbortSignal.any([signal, stop.signal])), stop)
  }

  /** The batches as the pipeline's modes want them; those with lookups in slices. */
  async *#imaged(from: Position, signal: AbortSignal): AsyncGenerator<ChangeBatch, void, undefined> {
    const { selection, lookup } = this.#settings
    const looksUp = mayLookUp(selection)
    const wants = (event: RawEvent) => needsLookup(event, selection)
    try {
      for await (const batch of this.#batches(from, signal)) {
        if (signal.aborted) return
        if (!looksUp) {
          yield part(batch, wholeOf(batch), selection)
          continue
        }
        for await (const slice of lookup.slices(batch.events, wants, signal)) {
          if (signal.aborted) return
          yield part(batch, slice, selection)
        }
      }
    } catch (error) {
      if (signal.aborted) return
      throw error instanceof Fault ? error : classify(error, 'lookup')
    }
  }

  async *#batches(from: Position, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const { hub, selection, matches, check } = this.#settings
    await check(from, signal)
    let position = from
    while (!signal.aborted) {
      const seat = new Seat(selection, matches, position)
      hub.sit(seat, !this.#begun)
      this.#begun = true
      for await (const batch of taken(hub, seat, signal)) {
        position = batch.position
        yield batch
      }
    }
  }
}

/** The seat's batches until it is closed; gives the seat back however the reading ends. */
async function* taken(hub: Hub, seat: Seat, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
  const onAbort = () => hub.leave(seat)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (!signal.aborted) yield* seat
  } finally {
    signal.removeEventListener('abort', onAbort)
    hub.leave(seat)
  }
}

function wholeOf({ events }: RawBatch): Slice {
  return { start: 0, end: events.length, wanted: [] }
}

/** The last slice reaches as far as its batch, the others to their last event. */
function part(batch: RawBatch, slice: Slice, selection: Selection): ChangeBatch {
  const { start, end } = slice
  const events = imagedEvents(batch.events, slice, selection)
  if (start === 0 && end === batch.events.length) {
    return { events, position: batch.position, bytes: batch.bytes, more: batch.more }
  }
  let bytes = 0
  for (let i = start; i < end; i++) bytes += batch.events[i]!.end - batch.events[i]!.start
  return end === batch.events.length
    ? { events, position: batch.position, bytes, more: batch.more }
    : { events, position: batch.events[end - 1]!.position, bytes, more: true }
}
