import type { ClientSession, Db, Document } from 'mongodb'
import type { Clock } from '../clock.ts'
import { Retryable } from '../errors.ts'

export interface CommandOptions {
  readonly session?: ClientSession | undefined
  /** Nested documents of the reply stay raw BSON. */
  readonly raw: boolean
  readonly deadlineMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Made once: to cancel a timer for every command is to cost no stack trace. */
const answered = new Error('the command was answered')

/**
 * Runs one command on the primary, for at most `deadlineMs`. When the time is up (Retryable SOURCE_STALLED) or `signal`
 * aborts (its reason), the driver closes the connection: a late answer can then never be taken for another's.
 */
export async function runCommand(db: Db, command: Document, options: CommandOptions): Promise<Document> {
  const { session, raw, deadlineMs, clock, signal } = options
  signal.throwIfAborted()
  const cut = new AbortController()
  const timer = new AbortController()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const end = (reason: unknown) => {
    cut.abort(reason)
    reject(reason)
  }
  const onAbort = () => end(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  clock.sleep(deadlineMs, timer.signal).then(
    () => end(new Retryable('SOURCE_STALLED', `MongoDB has not answered for ${deadlineMs} ms`)),
    () => undefined, // The answer came first.
  )
  // The driver hears the signal everywhere we know of; the race keeps the promise where it does not.
  const answer = db.command(command, {
    ...(session && { session }),
    raw,
    enableUtf8Validation: false,
    signal: cut.signal,
  })
  answer.catch(() => undefined)
  try {
    return await Promise.race([answer, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
    timer.abort(answered)
  }
}
