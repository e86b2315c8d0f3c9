import { type Document, MongoClient, MongoError, MongoServerError, MongoServerSelectionError } from 'mongodb'
import type { Clock } from '../clock.ts'
import { withDeadline } from '../deadline.ts'
import { Configuration, Fault, Retryable } from '../errors.ts'

const connectTimeoutMs = 5_000
const closeLimitMs = 3_000
/** Of one command, by the server's clock and by ours. */
const serverLimitMs = 5_000
const commandLimitMs = 10_000

/**
 * Server codes that pass by themselves: unreachable and unavailable hosts, elections, shutdown, killed or timed-out
 * operations, a write that has not reached the majority in time (64, 100).
 */
const passing: ReadonlySet<number> = new Set([
  6, 7, 24, 46, 50, 63, 64, 70, 89, 91, 100, 112, 133, 134, 150, 175, 189, 202, 211, 222, 234, 237, 246, 262, 290, 308,
  384, 391, 9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436,
])
export const duplicateKey = 11_000

/** A client of our own for `uri`. Throws Configuration CONFIG_INVALID for whatever the driver has against it. */
export function connectTo(uri: string): MongoClient {
  try {
    return new MongoClient(uri, {
      appName: 'mongo2kafka checkpoints',
      mongodbLogComponentSeverities: { command: 'off' }, // Whatever MONGODB_LOG_COMMAND says (G9).
      connectTimeoutMS: connectTimeoutMs,
      serverSelectionTimeoutMS: connectTimeoutMs,
    })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Configuration('CONFIG_INVALID', `checkpoint.uri: ${message}`, { cause: error })
  }
}

/** Closes a client of ours; what hangs is left behind after three seconds. */
export async function closeClient(client: MongoClient, clock: Clock): Promise<void> {
  const late = () => new Retryable('CHECKPOINT_UNAVAILABLE', 'MongoDB: the connections did not close')
  const closed = withDeadline(client.close(), { limitMs: closeLimitMs, late, clock, onEnd: () => {} })
  await closed.catch(() => {})
}

/** One database of a MongoDB, spoken to by its primary, never for longer than ten seconds a command. */
export class MongoAccess {
  readonly clock: Clock
  readonly #client: MongoClient
  readonly #database: string

  constructor(client: MongoClient, database: string, clock: Clock) {
    this.#client = client
    this.#database = database
    this.clock = clock
  }

  /**
   * The answer to `command`. Throws `signal`'s reason, Retryable CHECKPOINT_UNAVAILABLE (whether it took effect is then
   * unknown), Configuration CHECKPOINT_REJECTED, or the server's own error where its code is in `expected`.
   */
  async run(command: Document, signal: AbortSignal, expected: readonly number[] = []): Promise<Document> {
    signal.throwIfAborted()
    const cut = new AbortController()
    const answer = this.#client
      .db(this.#database)
      .command({ ...command, maxTimeMS: serverLimitMs }, { signal: cut.signal })
    const late = () =>
      new Retryable('CHECKPOINT_UNAVAILABLE', `MongoDB has not answered for ${commandLimitMs / 1_000} s`)
    // A command that is given up closes its connection: a late answer can then not be taken for another's.
    const onEnd = (error: unknown) => cut.abort(error)
    try {
      const result = await withDeadline(answer, { limitMs: commandLimitMs, late, clock: this.clock, signal, onEnd })
      if (result.writeConcernError) throw new MongoServerError(result.writeConcernError)
      return result
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof MongoServerError && expected.includes(Number(error.code))) throw error
      throw checkpointFault(error)
    }
  }
}

/** By class, server code and label, never by the text of a message. */
function checkpointFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  const message = error instanceof Error ? `MongoDB: ${error.message}` : String(error)
  const options = { cause: error }
  // Selection fails for want of a server, or because of one's own answer: a wrong password.
  const answer = error instanceof MongoServerSelectionError ? (error.cause ?? error) : error
  if (answer instanceof MongoServerError) {
    const passes = passing.has(Number(answer.code)) || answer.hasErrorLabel('RetryableWriteError')
    const text = `${message} (MongoDB code ${answer.code})`
    return passes
      ? new Retryable('CHECKPOINT_UNAVAILABLE', text, options)
      : new Configuration('CHECKPOINT_REJECTED', text, options)
  }
  const isNetwork = error instanceof Error && 'syscall' in error
  if (error instanceof MongoError || isNetwork) return new Retryable('CHECKPOINT_UNAVAILABLE', message, options)
  return new Configuration('INTERNAL', message, options)
}
