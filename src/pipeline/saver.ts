import type { Ends } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import type { Position } from '../position.ts'
import type { Ledger } from './ledger.ts'
import { Rest } from './rest.ts'

export interface SaverParts {
  readonly ledger: Pick<Ledger, 'write' | 'usePartitions' | 'savedAtMs'>
  /** Least time between two saves, unless `hurry` aborts or is called. */
  readonly intervalMs: number
  /** Ends waiting for the interval; saving itself goes on. Must not live longer than those who save. */
  readonly hurry: AbortSignal
  readonly clock: Clock
}

interface Next {
  position: Position | undefined
  ends: Ends | undefined
  readonly saved: PromiseWithResolvers<void>
}

/** The interval at most, for those who wait: still a bound for what saving costs. */
const hurriedIntervalMs = 100

/**
 * Saves positions one after the other. Saves are conflated: while one is under way or the interval runs, only the
 * latest position waits, and its save settles every earlier one.
 */
export class Saver {
  readonly #parts: SaverParts
  #next: Next | undefined
  #saving = false
  /** The next save does not wait for the whole interval. */
  #hurried = false
  readonly #rest: Rest

  constructor(parts: SaverParts) {
    this.#parts = parts
    this.#rest = new Rest(parts.clock, parts.hurry)
  }

  /** Settles when `position`, or a later one, is durable. Call in the order of the positions. */
  save(position: Position, ends?: Ends): Promise<void> {
    return this.#request(position, ends)
  }

  /** Settles when the topic's partition count is durable, and with it `ends`: soon, since the loop waits for it. */
  usePartitions(topic: string, count: number, ends?: Ends): Promise<void> {
    this.#parts.ledger.usePartitions(topic, count)
    this.hurry()
    return this.#request(undefined, ends)
  }

  /** Whoever sends waits for a save: the next one does not wait for the whole interval. */
  hurry(): void {
    if (this.#hurried) return // What is left of the rest is short.
    this.#hurried = true
    this.#rest.wake()
  }

  #request(position: Position | undefined, ends: Ends | undefined): Promise<void> {
    this.#next ??= { position: undefined, ends: undefined, saved: Promise.withResolvers<void>() }
    if (position) this.#next.position = position
    if (ends) this.#next.ends = ends
    const { promise } = this.#next.saved
    if (!this.#saving) {
      this.#saving = true
      void this.#saveAll()
    }
    return promise
  }

  async #saveAll(): Promise<void> {
    for (;;) {
      const waitMs = this.#dueInMs()
      if (waitMs > 0) await this.#restFor(waitMs)
      const next = this.#next
      this.#next = undefined
      if (!next) break
      this.#hurried = false
      try {
        await this.#parts.ledger.write(next.position, never, next.ends)
        next.saved.resolve()
      } catch (error) {
        next.saved.reject(error)
      }
    }
    this.#saving = false
  }

  #dueInMs(): number {
    const { ledger, clock, hurry } = this.#parts
    if (hurry.aborted) return 0
    const intervalMs = Math.min(this.#parts.intervalMs, this.#hurried ? hurriedIntervalMs : Number.POSITIVE_INFINITY)
    return Math.min(ledger.savedAtMs + intervalMs - clock.nowMs(), intervalMs)
  }

  async #restFor(ms: number): Promise<void> {
    const wasWoken = await this.#rest.for(ms)
    const leftMs = wasWoken ? this.#dueInMs() : 0
    if (leftMs > 0) await this.#restFor(leftMs)
  }
}

/** Saving is never cut short: its outcome would be unknown. Stores bound their own waits. */
const never = new AbortController().signal
