import { setImmediate as turn } from 'node:timers/promises'
import type { Fault } from '../errors.ts'
import type { Position } from '../position.ts'
import { markOf, type Part, type Place, partOf } from './deal.ts'
import type { Matcher } from './match.ts'
import type { RawBatch } from './reader.ts'
import type { Selection, Slot } from './source.ts'

/** Batches that wait for one pipeline; the stream waits while there are more. */
const limit = 2
/** A pipeline without events needs to hear of its position only so often. */
const markIntervalMs = 500

/**
 * The place of one slot of one pipeline at a change stream: what waits for it, and how far it has been given the
 * events. It may be moved from one stream to another: who takes the batches does not notice.
 */
export class Seat implements Place {
  readonly selection: Selection
  readonly matches: Matcher
  readonly #waiting: RawBatch[] = []
  #fault: Fault | undefined
  #closed = false
  #heardMs = Number.NEGATIVE_INFINITY
  #changed = Promise.withResolvers<void>()
  /** Everything up to here has been offered, or was behind the pipeline before. */
  position: Position
  /** For how long it has kept its stream waiting, less what time has forgiven, milliseconds. */
  heldMs = 0

  constructor(selection: Selection, matches: Matcher, position: Position) {
    this.selection = selection
    this.matches = matches
    this.position = position
  }

  get slot(): Slot {
    return this.selection.slot
  }

  get full(): boolean {
    return !this.#closed && this.#waiting.length >= limit
  }

  /** Whether it waits for the stream. */
  get hungry(): boolean {
    return !this.#closed && this.#waiting.length === 0
  }

  /** The seat's part of `batch`. */
  offer(batch: RawBatch): void {
    this.#offer(partOf(batch, this))
  }

  /** As `offer`, with the part already made; undefined where `batch` has no event of the seat. */
  deal(part: Part | undefined, batch: RawBatch, nowMs: number): void {
    const mine = part?.finish() ?? markOf(batch, this.position)
    const sinceMs = nowMs - this.#heardMs
    if (mine.events.length === 0 && sinceMs >= 0 && sinceMs < markIntervalMs) {
      this.position = mine.position
      return
    }
    this.#heardMs = nowMs
    this.#offer(mine)
  }

  #offer(part: RawBatch): void {
    if (this.#closed) return
    this.position = part.position
    // Of positions alone the last is enough: an idle pipeline is never full.
    if (part.events.length === 0 && this.#waiting.at(-1)?.events.length === 0) this.#waiting.pop()
    this.#waiting.push(part)
    this.#notify()
  }

  /** No more batches: what waits is still given, then the iteration ends, or throws `fault`. */
  close(fault?: Fault): void {
    if (this.#closed) return
    this.#closed = true
    this.#fault = fault
    this.#notify()
  }

  /** Closed by who sits there: nothing of what waits is wanted any more. */
  abandon(): void {
    this.#waiting.length = 0
    this.close()
  }

  /** Resolves at the next change: a batch came or was taken, or the seat was closed. */
  get changed(): Promise<void> {
    return this.#changed.promise
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RawBatch, void, undefined> {
    for (;;) {
      const batch = this.#waiting.shift()
      if (batch) {
        this.#notify()
        yield batch
        // The next batch is already here: let replies and acknowledgements in before the work on it.
        if (this.#waiting.length > 0) await turn()
      } else if (this.#closed) {
        if (this.#fault) throw this.#fault
        return
      } else {
        await this.#changed.promise
      }
    }
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers<void>()
  }
}

/** The earliest position of `seats`; undefined where there are none. */
export function earliest(seats: Iterable<Seat>): Position | undefined {
  let first: Position | undefined
  for (const { position } of seats) if (!first || position.compare(first) < 0) first = position
  return first
}
