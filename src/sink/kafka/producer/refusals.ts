import { createHash } from 'node:crypto'
import { type Fault, Fenced, PoisonEvent, type RefusedRecord, Retryable } from '../../../errors.ts'
import type { Records } from '../../../record.ts'
import { findHeader, positionText } from '../../../record-headers.ts'
import { readWoven } from '../../woven.ts'
import { denialOf } from '../acl.ts'
import { protocolCode } from '../classify.ts'
import { recordBatches } from '../reading/record-batches.ts'
import type { RecordBatch } from '../record-batch/record-batch.ts'
import type { Lane } from './lane.ts'
import { faultOfCode, isTooLarge } from './produce-errors.ts'
import type { QueuedBatch } from './queued-batch.ts'

/** A broker closes the connection on a request above socket.request.max.bytes (100 MiB), without an answer. */
const recordLimitBytes = 96 << 20
export const invalidRecord = 87
const transactionalIdDenied = 53
/** A transaction that is open for so long may have met its timeout. */
const longOpenMs = 5_000
const positionName = Buffer.from('m2k.position')
const nothing = Buffer.alloc(0)

/** How large batches may become; outlives the producers. */
export interface BatchLimits {
  /** Finished record batch of one partition of `topic`. */
  get(topic: string): number
  /** The broker refused a batch of this size that had several records: the next ones must be smaller. */
  refusedBatch(topic: string, sizeBytes: number): void
  /** It refused one of the records, and does not say which: until that one is found, they come in ever smaller batches. */
  suspectedBatch(topic: string, sizeBytes: number): void
  /** It was found. */
  foundRecord(topic: string): void
}

/** The first record of more than `limitBytes`, which no request can carry; undefined where there is none. */
export function impossibleRecord(records: Records, limitBytes = recordLimitBytes): PoisonEvent | undefined {
  const { count, starts, valueStarts, headerStarts, topics, partitions, bytes } = records
  if (starts[count]! - starts[0]! <= limitBytes) return undefined
  for (let i = 0; i < count; i += 1) {
    const sizeBytes = starts[i + 1]! - starts[i]!
    if (sizeBytes <= limitBytes) continue
    const header = findHeader(bytes, headerStarts[i]!, starts[i + 1]!, positionName)
    const position = header ?? readWoven(bytes.subarray(valueStarts[i]!, headerStarts[i]!))?.position
    const key = bytes.subarray(starts[i]!, valueStarts[i]!)
    return tooLarge(refusedRecord(topics[i]!, partitions[i]!, key, position), sizeBytes)
  }
  return undefined
}

/** What a broker said about one batch. */
interface Refusal {
  readonly errorCode: number
  /** Indexes of the records to blame, where the broker names them. */
  readonly rejected: readonly number[]
  /** Of the transaction that it was in. */
  readonly transactionalId?: string | undefined
}

/**
 * The fault for a batch that was refused for good. Where it had several records and nobody says which one is too large,
 * or invalid, the replay comes in smaller batches, down to that one record.
 */
export function refusalOf({ records }: QueuedBatch, refusal: Refusal, limits: BatchLimits): Fault {
  const { errorCode, rejected, transactionalId } = refusal
  const { topic, partition, count, sizeBytes } = records
  const denial = denialOf('Produce', errorCode, errorCode === transactionalIdDenied ? (transactionalId ?? '') : topic)
  const fault = faultOfCode(errorCode, `send ${count} records to topic ${topic}, partition ${partition}`, denial)
  if (errorCode === invalidRecord) {
    const index = rejected[0] ?? (count === 1 ? 0 : undefined)
    if (index === undefined) {
      limits.suspectedBatch(topic, sizeBytes)
      return split(topic, 'one of the records of a batch was refused', fault)
    }
    limits.foundRecord(topic)
    return invalid(recordAt(records, index), fault)
  }
  if (!isTooLarge(errorCode)) return fault
  if (count === 1) return tooLarge(recordAt(records, 0), sizeBytes, fault.cause)
  limits.refusedBatch(topic, sizeBytes)
  return split(topic, 'a batch was too large', fault)
}

/** What is sent again in smaller batches. */
export function split(topic: string, why: string, { cause }: { readonly cause?: unknown }): Retryable {
  return new Retryable('SINK_UNAVAILABLE', `${topic}: ${why} and is sent in smaller ones`, { cause })
}

/** A record that was refused, and where there is no position something else to know it by. */
export function refusedRecord(
  topic: string,
  partition: number,
  key: Buffer,
  position: Buffer | undefined,
): RefusedRecord {
  const place = { topic, partition, keyBytes: key.length }
  if (position === undefined) return { ...place, position, keyDigest: digestOf(key) }
  return { ...place, position: Buffer.from(position) }
}

export function digestOf(key: Buffer): string {
  return createHash('sha256').update(key).digest('hex')
}

/** Of a sealed batch, read back from the bytes that were sent. */
function recordAt({ topic, partition, bytes }: RecordBatch, index: number): RefusedRecord {
  const [batch] = recordBatches(bytes)
  const record = batch?.records()[index]
  const headers = record?.headers ?? Buffer.of(0)
  const header = findHeader(headers, 0, headers.length, positionName)
  const position = header ?? (record?.value ? readWoven(record.value)?.position : undefined) // Without headers: inside.
  return refusedRecord(topic, partition, record?.key ?? nothing, position)
}

/** What the brokers refuse an identity with once a later one of its transactional id was given. */
const fenceCodes: ReadonlySet<number | undefined> = new Set([47, 90]) // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED

/**
 * The same fault, or what it means for a producer that can be fenced. The coordinator raises the epoch as well when it
 * ends a transaction that was open for too long; `openMs` says how long that is. From here the two look alike.
 */
export function fencedOr(fault: Fault, transactionalId: string | undefined, openMs = 0): Fault {
  if (transactionalId === undefined || !fenceCodes.has(protocolCode(fault))) return fault
  const or = openMs < longOpenMs ? '' : `, or Kafka has ended its transaction, which was open for ${openMs} ms`
  const message = `another instance has taken over ${transactionalId}${or}: ${fault.message}`
  return new Fenced('SINK_FENCED', message, { cause: fault.cause })
}

export function lateFault({ topic, partition, trouble }: Lane, limitMs: number): Retryable {
  const why = trouble === undefined ? '' : `: ${trouble}`
  const message = `topic ${topic}, partition ${partition}: nothing was acknowledged within ${limitMs} ms${why}`
  return new Retryable('SINK_UNAVAILABLE', message)
}

/** Names topic, place and sizes, never the contents (G9). */
export function tooLarge(record: RefusedRecord, sizeBytes: number, cause?: unknown): PoisonEvent {
  const message = `${placeOf(record)}: a record of ${sizeBytes} bytes is larger than the topic takes`
  return new PoisonEvent('SINK_RECORD_TOO_LARGE', message, { record, ...(cause !== undefined && { cause }) })
}

export function invalid(record: RefusedRecord, { message, cause }: Fault): PoisonEvent {
  const whole = `${placeOf(record)}: one record was refused: ${message}`
  return new PoisonEvent('SINK_RECORD_INVALID', whole, { record, cause })
}

function placeOf({ topic, partition, keyBytes, position }: RefusedRecord): string {
  const place = `topic ${topic}, partition ${partition}, key of ${keyBytes} bytes`
  return position === undefined ? place : `${place}, m2k.position ${positionText(position)}`
}
