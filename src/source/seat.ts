import { setImmediate as turn } from 'node:timers/promises'
import type { Fault } from '../errors.ts'
import type { Position } from '../position.ts'
import { Part, type Place, partOf } from './deal.ts'
import type { Matcher } from './match.ts'
import type { RawBatch } from './reader.ts'

/** Batches that wait for one pipeline; the shared stream waits while there are more. */
const limit = 2
/** A pipeline without events needs to hear of its position only so often. */
const markIntervalMs = 500

/** A pipeline's place at the shared stream: what waits for it, and how far it has been given the events. */
export class Seat implements Place {
  readonly matches: Matcher
  readonly #waiting: RawBatch[] = []
  #fault: Fault | undefined
  #closed = false
  #heardMs = Number.NEGATIVE_INFINITY
  #changed = Promise.withResolvers<void>()
  /** Everything up to here has been offered, or was behind the pipeline before. */
  position: Position

  constructor(matches: Matcher, position: Position) {
    this.matches = matches
    this.position = position
  }

  get full(): boolean {
    return !this.#closed && this.#waiting.length >= limit
  }

  /** The pipeline's part of `batch`. */
  offer(batch: RawBatch): void {
    this.#offer(partOf(batch, this.matches, this.position))
  }

  /** As `offer`, with the part already made; undefined where `batch` has no event of the pipeline. */
  deal(part: Part | undefined, batch: RawBatch, nowMs: number): void {
    const mark = part?.finish() ?? new Part(batch, this.position).finish()
    const sinceMs = nowMs - this.#heardMs
    if (mark.events.length === 0 && sinceMs >= 0 && sinceMs < markIntervalMs) {
      this.position = mark.position
      return
    }
    this.#heardMs = nowMs
    this.#offer(mark)
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
