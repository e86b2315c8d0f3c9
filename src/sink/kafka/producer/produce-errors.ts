import type { Fault } from '../../../errors.ts'
import type { Denial } from '../acl.ts'
import { faultOf } from '../classify.ts'

/**
 * What the broker's answer to one batch means.
 * - acknowledged: all in-sync replicas have the batch.
 * - retry: the same bytes again, to the same broker, later.
 * - retry-elsewhere: the same bytes again, after asking who leads the partition.
 * - out-of-order: the batches before it are not there. Behind a failed batch the consequence of that failure; where
 *   nothing failed before it, nobody knows what the log holds.
 * - fatal: this producer cannot go on; classify.ts says what the loop must do.
 */
export type Meaning = 'acknowledged' | 'retry' | 'retry-elsewhere' | 'out-of-order' | 'fatal'

/** What stands for a connection that went without an answer: whether the broker has the batch is not known. */
export const networkException = 13
/** The target is given too much; nothing of the batch is there (KIP-599; in answers to Produce only some services say it). */
export const throttlingQuotaExceeded = 89
const messageTooLarge = 10
const recordListTooLarge = 18

/**
 * Kafka's errors that are no verdict on the batch: success, its retriable errors as far as Produce can return them
 * (those about metadata ask for the leader anew), and the sequence errors of the idempotent producer.
 * Source: https://kafka.apache.org/protocol#protocol_error_codes
 */
const table: Readonly<Record<number, readonly [name: string, meaning: Meaning]>> = {
  0: ['NONE', 'acknowledged'],
  46: ['DUPLICATE_SEQUENCE_NUMBER', 'acknowledged'],
  45: ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'out-of-order'],
  2: ['CORRUPT_MESSAGE', 'retry'],
  7: ['REQUEST_TIMED_OUT', 'retry'],
  19: ['NOT_ENOUGH_REPLICAS', 'retry'],
  20: ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'retry'],
  51: ['CONCURRENT_TRANSACTIONS', 'retry'],
  [throttlingQuotaExceeded]: ['THROTTLING_QUOTA_EXCEEDED', 'retry'],
  3: ['UNKNOWN_TOPIC_OR_PARTITION', 'retry-elsewhere'],
  5: ['LEADER_NOT_AVAILABLE', 'retry-elsewhere'],
  6: ['NOT_LEADER_OR_FOLLOWER', 'retry-elsewhere'],
  8: ['BROKER_NOT_AVAILABLE', 'retry-elsewhere'],
  9: ['REPLICA_NOT_AVAILABLE', 'retry-elsewhere'],
  [networkException]: ['NETWORK_EXCEPTION', 'retry-elsewhere'],
  14: ['COORDINATOR_LOAD_IN_PROGRESS', 'retry-elsewhere'],
  15: ['COORDINATOR_NOT_AVAILABLE', 'retry-elsewhere'],
  16: ['NOT_COORDINATOR', 'retry-elsewhere'],
  56: ['KAFKA_STORAGE_ERROR', 'retry-elsewhere'],
  72: ['LISTENER_NOT_FOUND', 'retry-elsewhere'],
  74: ['FENCED_LEADER_EPOCH', 'retry-elsewhere'],
  75: ['UNKNOWN_LEADER_EPOCH', 'retry-elsewhere'],
  80: ['PREFERRED_LEADER_NOT_AVAILABLE', 'retry-elsewhere'],
  100: ['UNKNOWN_TOPIC_ID', 'retry-elsewhere'],
  103: ['INCONSISTENT_TOPIC_ID', 'retry-elsewhere'],
}

/** Names of the other errors of Produce, for people. */
const fatalNames: Readonly<Record<number, string>> = {
  [-1]: 'UNKNOWN_SERVER_ERROR',
  [messageTooLarge]: 'MESSAGE_TOO_LARGE',
  17: 'INVALID_TOPIC_EXCEPTION',
  [recordListTooLarge]: 'RECORD_LIST_TOO_LARGE',
  21: 'INVALID_REQUIRED_ACKS',
  29: 'TOPIC_AUTHORIZATION_FAILED',
  31: 'CLUSTER_AUTHORIZATION_FAILED',
  32: 'INVALID_TIMESTAMP',
  35: 'UNSUPPORTED_VERSION',
  42: 'INVALID_REQUEST',
  43: 'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  44: 'POLICY_VIOLATION',
  47: 'INVALID_PRODUCER_EPOCH',
  48: 'INVALID_TXN_STATE',
  49: 'INVALID_PRODUCER_ID_MAPPING',
  59: 'UNKNOWN_PRODUCER_ID',
  76: 'UNSUPPORTED_COMPRESSION_TYPE',
  87: 'INVALID_RECORD',
  90: 'PRODUCER_FENCED',
}

export function meaningOf(errorCode: number): Meaning {
  return table[errorCode]?.[1] ?? 'fatal'
}

export function nameOf(errorCode: number): string {
  return table[errorCode]?.[0] ?? fatalNames[errorCode] ?? `error ${errorCode}`
}

export function isTooLarge(errorCode: number): boolean {
  return errorCode === messageTooLarge || errorCode === recordListTooLarge
}

/** What the loop must do about an error code that was the answer to `action` ("send 3 records to topic x"). */
export function faultOfCode(errorCode: number, action: string, denial?: Denial): Fault {
  return faultOf(Object.assign(new Error(`${nameOf(errorCode)} (${errorCode})`), { code: errorCode, denial }), action)
}
