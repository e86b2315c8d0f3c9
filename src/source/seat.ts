import type { Fault } from '../errors.ts'
import type { Position } from '../position.ts'
import type { Matcher } from './match.ts'
import type { RawEvent } from './raw-event.ts'
import type { RawBatch } from './reader.ts'

/** Batches that wait for one pipeline; the shared stream waits while there are more. */
const limit = 2

/** The part of `batch` that is the pipeline's: its own collections, after `position`; the batch's position either way. */
export function partOf(batch: RawBatch, matches: Matcher, position: Position): RawBatch {
  // Events are in order: only where the first is at or below the position are comparisons needed.
  const first = batch.events[0]
  const behind = first !== undefined && first.position.compare(position) <= 0
  const events: RawEvent[] = []
  let bytes = 0
  for (const event of batch.events) {
    // Invalidate is about a stream, and ours is shared: the pipelines see the drop or rename itself.
    if (event.operation === 'invalidate' || !matches(event.db, event.collection)) continue
    if (behind && event.position.compare(position) <= 0) continue
    events.push(event)
    bytes += event.end - event.start
  }
  return { events, position: batch.position.compare(position) > 0 ? batch.position : position, bytes, more: batch.more }
}

/** A pipeline's place at the shared stream: what waits for it, and how far it has been given the events. */
export class Seat {
  readonly #matches: Matcher
  readonly #waiting: RawBatch[] = []
  #fault: Fault | undefined
  #closed = false
  #changed = Promise.withResolvers<void>()
  /** Everything up to here has been offered, or was behind the pipeline before. */
  position: Position

  constructor(matches: Matcher, position: Position) {
    this.#matches = matches
    this.position = position
  }

  get full(): boolean {
    return !this.#closed && this.#waiting.length >= limit
  }

  offer(batch: RawBatch): void {
    if (this.#closed) return
    const part = partOf(batch, this.#matches, this.position)
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
