import type { Ends } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import type { Position } from '../position.ts'
import type { Ledger } from './ledger.ts'

export interface SaverParts {
  readonly ledger: Pick<Ledger, 'write' | 'usePartitions' | 'savedAtMs'>
  /** Least time between two saves, unless `hurry` aborts. */
  readonly intervalMs: number
  /** Ends waiting for the interval; saving itself goes on. */
  readonly hurry: AbortSignal
  readonly clock: Clock
}

interface Next {
  position: Position | undefined
  ends: Ends | undefined
  readonly saved: PromiseWithResolvers<void>
}

/**
 * Saves positions one after the other. Saves are conflated: while one is under way or the interval runs, only the
 * latest position waits, and its save settles every earlier one.
 */
export class Saver {
  readonly #parts: SaverParts
  #next: Next | undefined
  #saving = false

  constructor(parts: SaverParts) {
    this.#parts = parts
  }

  /** Settles when `position`, or a later one, is durable. Call in the order of the positions. */
  save(position: Position, ends?: Ends): Promise<void> {
    return this.#request(position, ends)
  }

  /** Settles when the topic's partition count is durable, and with it `ends`. */
  usePartitions(topic: string, count: number, ends?: Ends): Promise<void> {
    this.#parts.ledger.usePartitions(topic, count)
    return this.#request(undefined, ends)
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
    const { ledger, clock, intervalMs, hurry } = this.#parts
    for (;;) {
      const waitMs = Math.min(ledger.savedAtMs + intervalMs - clock.nowMs(), intervalMs)
      if (waitMs > 0 && !hurry.aborted) await clock.sleep(waitMs, hurry).catch(() => undefined)
      const next = this.#next
      this.#next = undefined
      if (!next) break
      try {
        await ledger.write(next.position, never, next.ends)
        next.saved.resolve()
      } catch (error) {
        next.saved.reject(error)
      }
    }
    this.#saving = false
  }
}

/** Saving is never cut short: its outcome would be unknown. Stores bound their own waits. */
const never = new AbortController().signal
