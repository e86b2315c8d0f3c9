import { type Clock, steady } from '../../../clock.ts'
import { Retryable } from '../../../errors.ts'

const pause = { firstMs: 10, longestMs: 250 } as const

/** Waits that grow, for at most a limit since the last success. */
export class Patience {
  readonly #clock: Clock
  readonly #limitMs: number
  #sinceMs: number | undefined
  #pauseMs: number = pause.firstMs

  constructor(clock: Clock, limitMs: number) {
    this.#clock = steady(clock)
    this.#limitMs = limitMs
  }

  /** It worked: the limit counts from the next wait on. */
  begin(): void {
    this.#sinceMs = undefined
    this.#pauseMs = pause.firstMs
  }

  /** Throws Retryable SINK_UNAVAILABLE that says `why` when the limit is over, or the signal's reason. */
  async wait(why: string, signal: AbortSignal, cause?: unknown): Promise<void> {
    const nowMs = this.#clock.nowMs()
    this.#sinceMs ??= nowMs
    if (nowMs - this.#sinceMs >= this.#limitMs) {
      throw new Retryable('SINK_UNAVAILABLE', `${why}, for ${this.#limitMs / 1000} s`, { cause })
    }
    await this.#clock.sleep(this.#pauseMs, signal)
    this.#pauseMs = Math.min(2 * this.#pauseMs, pause.longestMs)
  }
}
