import { BSON, MongoNetworkError, MongoServerError, MongoServerSelectionError } from 'mongodb'
import { Configuration, type ErrorCode, Fault, PoisonEvent, PositionLost, Retryable } from '../errors.ts'

/** What was being done when the error came: the same code means another thing in another phase. */
export type Phase = 'connect' | 'open' | 'read' | 'lookup'

type FaultClass = new (code: ErrorCode, message: string, options?: ErrorOptions) => Fault

/**
 * Server codes of which we know what they mean: ChangeStreamHistoryLost 286, CappedPositionLost 136 and
 * IncompleteTransactionHistory 217; rights 13, 18, UserNotFound 11 (X.509); CommandNotSupportedOnView 166; NoMatchingDocument 47;
 * BSONObjectTooLarge 10334 (17280, 17419, 17420 elsewhere); the last two: not a replica set.
 */
const known: ReadonlyMap<number, readonly [FaultClass, ErrorCode]> = new Map<number, readonly [FaultClass, ErrorCode]>([
  [286, [PositionLost, 'SOURCE_HISTORY_LOST']],
  [136, [PositionLost, 'SOURCE_HISTORY_LOST']],
  [217, [PositionLost, 'SOURCE_HISTORY_LOST']],
  [13, [Configuration, 'SOURCE_UNAUTHORIZED']],
  [18, [Configuration, 'SOURCE_AUTH_FAILED']],
  [11, [Configuration, 'SOURCE_AUTH_FAILED']],
  [166, [Configuration, 'SOURCE_REJECTED']],
  [47, [Configuration, 'SOURCE_IMAGE_MISSING']],
  [10334, [PoisonEvent, 'SOURCE_EVENT_TOO_LARGE']],
  [43, [Retryable, 'SOURCE_CURSOR_LOST']],
  [40573, [Configuration, 'SOURCE_STANDALONE']],
  [76, [Configuration, 'SOURCE_STANDALONE']],
])

/**
 * Codes that pass by themselves: unreachable and unavailable hosts, shutdown, step-down, stale routing, interrupted,
 * killed or timed-out operations, a read concern that is not available yet.
 */
const passing: ReadonlySet<number> = new Set([
  6, 7, 24, 46, 50, 63, 70, 89, 91, 112, 133, 134, 150, 175, 189, 202, 211, 222, 234, 237, 239, 246, 262, 290, 308, 384,
  391, 9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436,
])

/** ChangeStreamFatalError and the resume token that the server cannot make a key of: resume by time instead. */
export function isTokenRefused(error: unknown): boolean {
  return error instanceof MongoServerError && (error.code === 280 || error.code === 50810 || error.code === 260)
}

/** The error as the loop and the operator must see it: by class, server code, label and phase; never by message text. */
export function classify(error: unknown, phase: Phase): Fault {
  if (error instanceof Fault) return error
  if (error instanceof MongoServerError) return classifyServer(error, phase)
  const options = { cause: error }
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof MongoServerSelectionError) return classifySelection(error)
  if (error instanceof MongoNetworkError) {
    return new Retryable(phase === 'connect' ? 'SOURCE_UNREACHABLE' : 'SOURCE_NETWORK', message, options)
  }
  // A malformed reply: the walker's RangeError. Reading it again gives the same.
  if (error instanceof RangeError) return new PoisonEvent('EVENT_UNREADABLE', message, options)
  if (isSystemError(error)) return new Retryable('SOURCE_UNREACHABLE', message, options)
  // What else the driver throws (expired sessions, closed pools and topologies) belongs to connections that are gone.
  if (error instanceof Error && error.name.startsWith('Mongo')) return new Retryable('SOURCE_NETWORK', message, options)
  return new Configuration('INTERNAL', message, options)
}

/** Selection fails for want of a server; where its cause is a server's own answer (rights), that is what to tell. */
function classifySelection(error: MongoServerSelectionError): Fault {
  const cause = error.cause
  if (cause instanceof MongoServerError) return classifyServer(cause, 'connect')
  return new Retryable('SOURCE_UNREACHABLE', error.message, { cause: error })
}

function classifyServer(error: MongoServerError, phase: Phase): Fault {
  const code = typeof error.code === 'number' ? error.code : 0
  const message = `${error.message} (MongoDB code ${code})`
  const options = { cause: error }
  const entry = known.get(code)
  if (entry) return new entry[0](entry[1], message, options)
  const labels = labelsOf(error)
  if (passing.has(code) || labels.includes('ResumableChangeStreamError')) {
    return new Retryable(phase === 'connect' ? 'SOURCE_UNREACHABLE' : 'SOURCE_NETWORK', message, options)
  }
  return new Configuration('SOURCE_REJECTED', message, options)
}

/** With raw replies the labels arrive as a BSON array, which the driver's `hasErrorLabel` does not see. */
function labelsOf(error: MongoServerError): readonly string[] {
  const labels: unknown = error.errorResponse?.errorLabels
  if (Buffer.isBuffer(labels)) return Object.values(BSON.deserialize(labels)).filter(label => typeof label === 'string')
  return error.errorLabels
}

/** Node's own: ECONNREFUSED, ENOTFOUND, ESERVFAIL and the like. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && 'syscall' in error
}
