import type { ChangeBatch } from '../event.ts'
import type { Position } from '../position.ts'
import type { Hub } from './hub.ts'
import { applyImages } from './images.ts'
import type { LookupSettings } from './lookup.ts'
import type { Matcher } from './match.ts'
import type { ChangeStreamReader, RawBatch } from './reader.ts'
import { partOf, type Seat } from './seat.ts'
import type { Selection, Source } from './source.ts'

export interface PipelineSourceSettings {
  readonly selection: Selection
  readonly matches: Matcher
  /** undefined: the pipeline has a filter, and so a stream of its own. */
  readonly hub: Hub | undefined
  readonly openReader: () => ChangeStreamReader
  readonly lookup: LookupSettings
  readonly now: (signal: AbortSignal) => Promise<Position>
}

/** One pipeline's changes: from the shared stream, or from its own while it is behind that or the shared one failed. */
export class PipelineSource implements Source {
  readonly #settings: PipelineSourceSettings

  constructor(settings: PipelineSourceSettings) {
    this.#settings = settings
  }

  now(signal: AbortSignal): Promise<Position> {
    return this.#settings.now(signal)
  }

  async *read(from: Position, signal: AbortSignal): AsyncGenerator<ChangeBatch, void, undefined> {
    const { selection, lookup } = this.#settings
    for await (const batch of this.#batches(from, signal)) {
      if (signal.aborted) return
      let prepared: ChangeBatch
      try {
        prepared = await applyImages(batch, selection, lookup, signal)
      } catch (error) {
        if (signal.aborted) return
        throw error
      }
      yield prepared
    }
  }

  async *#batches(from: Position, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const { hub, matches } = this.#settings
    let position = from
    let seat = hub?.sit(matches, position)
    try {
      while (!signal.aborted) {
        if (seat) {
          for await (const batch of taken(hub!, seat, signal)) {
            position = batch.position
            yield batch
          }
          seat = undefined
        } else {
          for await (const batch of this.#settings.openReader().read(position, signal)) {
            const part = partOf(batch, matches, position)
            position = part.position
            yield part
            seat = hub?.rejoin(matches, position)
            if (seat) break
          }
        }
      }
    } finally {
      if (seat) hub?.leave(seat) // Taken, but the end came before it was used.
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
