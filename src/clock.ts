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
  /** Goes on evenly when the machine's time is set, milliseconds and fractions; absent: `nowMs` does. See `steady`. */
  monotonicMs?(): number
  /** How long this thread has had nothing to do since it began, milliseconds and fractions; absent: not known. */
  idleMs?(): number
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) => (signal === undefined ? delay(ms) : sleepUntil(ms, signal)),
  random: () => Math.random(),
  // From the time of day when the process began, so that no time seems long past that is only absent.
  monotonicMs: () => performance.timeOrigin + performance.now(),
  idleMs: () => performance.eventLoopUtilization().idle,
}

/**
 * As `delay` with a signal, but for the error that Node makes there: each has a stack trace, which most waits would pay
 * for, since what they guard comes in time.
 */
function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    }, ms)
    const onAbort = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/**
 * The same clock for those who measure how long something takes, or when something is due: its `nowMs` is not stepped
 * when the machine's time is set, and so does not tell the time of day. What it gives must not leave the process.
 */
export function steady(clock: Clock): Clock {
  if (clock.monotonicMs === undefined) return clock
  const nowMs = () => clock.monotonicMs?.() ?? clock.nowMs()
  return { ...clock, nowMs, sleep: (ms, signal) => clock.sleep(ms, signal), random: () => clock.random() }
}

/** Text that nobody can guess, of `bytes` random bytes: for what a login must never repeat. */
export function secureNonce(bytes: number): string {
  return randomBytes(bytes).toString('base64url')
}
