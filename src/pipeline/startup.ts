import { type Clock, steady } from '../clock.ts'
import { Retryable } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type BackOff, backOffMs } from '../retry.ts'

export interface WaitParts {
  /** What is waited for, as a person calls it: MongoDB, Kafka. */
  readonly what: string
  readonly limitMs: number
  readonly backOff: BackOff
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Opens what may not be there yet: again and again while it fails in a way that a retry can mend, until `limitMs` is
 * over. Throws the last fault then, and every other fault at once.
 */
export async function waitFor<T>(parts: WaitParts, open: () => Promise<T>, stop: AbortSignal): Promise<T> {
  const { what, log } = parts
  const clock = steady(parts.clock)
  const deadlineMs = clock.nowMs() + parts.limitMs
  for (let attempt = 1; ; attempt++) {
    try {
      return await open()
    } catch (error) {
      stop.throwIfAborted()
      const leftMs = deadlineMs - clock.nowMs()
      if (!(error instanceof Retryable) || leftMs <= 0) throw error
      log.warn({ code: error.code, error, leftMs }, `${what} is not there yet; waiting for it`)
      await clock.sleep(Math.min(leftMs, backOffMs(parts.backOff, attempt, clock)), stop)
    }
  }
}
