import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'

/** Time and chance. The only source of both, so that a simulation can replace them. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  nowMs(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Uniform in [0, 1). */
  random(): number
  /** How long this thread has had nothing to do since it began, milliseconds and fractions; absent: not known. */
  idleMs?(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  async sleep(ms, signal) {
    signal?.throwIfAborted()
    try {
      await delay(ms, undefined, signal && { signal })
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    }
  },
  random: () => Math.random(),
  idleMs: () => performance.eventLoopUtilization().idle,
}

/** Text that nobody can guess, of `bytes` random bytes: for what a login must never repeat. */
export function secureNonce(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}
