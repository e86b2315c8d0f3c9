import type { Clock } from '../clock.ts'

/** The rest between two saves, or two commits: over with its time, or when it is woken. One at a time. */
export class Rest {
  readonly #clock: Clock
  #wake: AbortController | undefined

  /** `hurry` wakes it too; it must not live longer than who rests. */
  constructor(clock: Clock, hurry: AbortSignal) {
    this.#clock = clock
    hurry.addEventListener('abort', () => this.wake(), { once: true })
  }

  wake(): void {
    this.#wake?.abort()
  }

  /** Whether it was woken. */
  async for(ms: number): Promise<boolean> {
    const wake = new AbortController()
    this.#wake = wake
    await this.#clock.sleep(ms, wake.signal).catch(() => undefined)
    this.#wake = undefined
    return wake.signal.aborted
  }
}
