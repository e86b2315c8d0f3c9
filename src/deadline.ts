import type { Clock } from './clock.ts'

export interface Deadline {
  readonly limitMs: number
  /** The error for a limit that has passed. */
  readonly late: () => Error
  readonly clock: Clock
  readonly signal?: AbortSignal | undefined
  /** Called once the limit has passed or `signal` aborted; must make the work end. */
  readonly onEnd: (error: unknown) => void
}

/**
 * Waits for `work` until the deadline or the signal, whichever is first, and rejects with their error or its own.
 * For clients that take no signal: what is not waited for any longer must be ended by `onEnd`.
 */
export async function withDeadline<T>(work: Promise<T>, deadline: Deadline): Promise<T> {
  const { limitMs, late, clock, signal, onEnd } = deadline
  const finished = new AbortController()
  const waiting = signal === undefined ? finished.signal : AbortSignal.any([finished.signal, signal])
  const end = clock.sleep(limitMs, waiting).then((): never => {
    throw late()
  })
  end.catch(error => {
    if (!finished.signal.aborted) onEnd(error)
  })
  work.catch(() => {}) // After our end, its own is of no interest.
  try {
    return await Promise.race([work, end])
  } finally {
    finished.abort()
  }
}

/**
 * Lets a listener stay at a signal that others begin and cease to listen to all the time. Node keeps what listens in a
 * Map, which would be emptied and filled each time, and left tables of it are garbage that outlives young collections
 * (see under-way.ts).
 */
export function keepListening(signal: AbortSignal): void {
  signal.addEventListener('abort', stays, { once: true })
}

const stays = (): void => {}

/**
 * `work`, or the rejection with the signal's reason if that comes first; `work` then goes on unheard. Work that is done
 * already is not lost to a signal that has aborted already.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
