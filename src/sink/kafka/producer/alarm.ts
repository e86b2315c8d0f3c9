import type { Clock } from '../../../clock.ts'

/** Calls `ring` at the earliest time that was asked for since it rang last. It may ring in vain: the callee looks. */
export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #atMs = Number.POSITIVE_INFINITY
  #sleep = new AbortController()

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  set(atMs: number): void {
    if (atMs >= this.#atMs) return
    this.stop()
    this.#atMs = atMs
    void this.#wait(atMs, this.#sleep.signal)
  }

  stop(): void {
    if (this.#atMs === Number.POSITIVE_INFINITY) return
    this.#atMs = Number.POSITIVE_INFINITY
    this.#sleep.abort()
    this.#sleep = new AbortController()
  }

  async #wait(atMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(Math.max(0, atMs - this.#clock.nowMs()), signal)
    } catch {
      return // Stopped.
    }
    if (signal.aborted) return
    this.#atMs = Number.POSITIVE_INFINITY
    this.#ring()
  }
}
