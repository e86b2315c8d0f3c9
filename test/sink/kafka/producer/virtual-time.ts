import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../../../src/clock.ts'
import { seeded } from '../../../simulation/schedule.ts'

/** Far more than an honest run needs: what still happens then goes round in circles. */
const eventLimit = 10_000

interface Event {
  readonly atMs: number
  readonly order: number
  readonly happen: () => void
}

/** Time that passes only when nothing else can happen. The same seed gives the same course. */
export class VirtualTime implements Clock {
  readonly random: () => number
  readonly #events: Event[] = []
  #nowMs = 1_700_000_000_000
  #order = 0

  constructor(seed: number) {
    this.random = seeded(seed)
  }

  nowMs(): number {
    return this.#nowMs
  }

  /** `happen` is called in `ms` milliseconds; the returned function calls it off. */
  after(ms: number, happen: () => void): () => void {
    const event = { atMs: this.#nowMs + ms, order: this.#order++, happen }
    const later = this.#events.findIndex(other => other.atMs > event.atMs)
    this.#events.splice(later < 0 ? this.#events.length : later, 0, event)
    return () => {
      const at = this.#events.indexOf(event)
      if (at >= 0) this.#events.splice(at, 1)
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const callOff = this.after(ms, resolve)
      signal?.addEventListener('abort', () => {
        callOff()
        reject(signal.reason)
      })
    })
  }

  /** Uniform in [from, to). */
  between(from: number, to: number): number {
    return from + this.random() * (to - from)
  }

  /** Lets time pass until `isDone`, or nothing is to happen any more, or `limitMs` or too many events have passed. */
  async run(isDone: () => boolean, limitMs = 3_600_000): Promise<void> {
    const untilMs = this.#nowMs + limitMs
    for (let events = 0; events < eventLimit; events += 1) {
      await turn()
      const event = isDone() ? undefined : this.#events[0]
      if (event === undefined || event.atMs > untilMs) return
      this.#events.shift()
      this.#nowMs = Math.max(this.#nowMs, event.atMs)
      event.happen()
    }
  }
}
