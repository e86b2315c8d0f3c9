/**
 * Limits of waiting in tests: safety nets, and not what is tested. On a machine that is busy with other things a daemon
 * takes a minute to start.
 */
const limitMs = 180_000

/** What a wait that ran into its limit was for. */
type Wanted = string | (() => string)

/** Asks every `pauseMs` until there is an answer. */
export async function eventually<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  what: Wanted,
  untilMs = limitMs,
  pauseMs = 50,
): Promise<T> {
  const deadlineMs = Date.now() + untilMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadlineMs) throw neverCame(what)
    await new Promise(resolve => setTimeout(resolve, pauseMs))
  }
}

/** The same for what settles by itself: an exit, the end of a topic. */
export async function within<T>(promise: Promise<T>, what: Wanted): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(neverCame(what)), limitMs)
  try {
    return await Promise.race([promise, over])
  } finally {
    clearTimeout(timer)
  }
}

function neverCame(what: Wanted): Error {
  return new Error(`never came: ${typeof what === 'string' ? what : what()}`)
}
