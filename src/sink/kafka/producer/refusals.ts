import { type Fault, Fenced, PoisonEvent, Retryable } from '../../../errors.ts'
import type { Records } from '../../../record.ts'
import { protocolCode } from '../classify.ts'
import type { Lane } from './lane.ts'
import { faultOfCode, isTooLarge } from './produce-errors.ts'
import type { QueuedBatch } from './queued-batch.ts'

/** A broker closes the connection on a request above socket.request.max.bytes (100 MiB), without an answer. */
const recordLimitBytes = 96 << 20

/** How large batches may become; outlives the producers. */
export interface BatchLimits {
  /** Finished record batch of one partition of `topic`. */
  get(topic: string): number
  /** The broker refused a batch of this size that had several records: the next ones must be smaller. */
  refusedBatch(topic: string, sizeBytes: number): void
}

/** The first record that no request can carry; undefined where there is none. */
export function impossibleRecord({ count, starts, topics, partitions }: Records): PoisonEvent | undefined {
  if (starts[count]! - starts[0]! <= recordLimitBytes) return undefined
  for (let i = 0; i < count; i += 1) {
    const sizeBytes = starts[i + 1]! - starts[i]!
    if (sizeBytes > recordLimitBytes) return tooLarge(topics[i]!, partitions[i]!, sizeBytes)
  }
  return undefined
}

/**
 * The fault for a batch that was refused for good. Where it was too large and had several records, nobody knows which
 * of them is: the replay comes in smaller batches, down to that one record.
 */
export function refusalOf({ records }: QueuedBatch, errorCode: number, limits: BatchLimits): Fault {
  const { topic, partition, count, sizeBytes } = records
  const fault = faultOfCode(errorCode, `send ${count} records to topic ${topic}, partition ${partition}`)
  if (!isTooLarge(errorCode)) return fault
  if (count === 1) return tooLarge(topic, partition, sizeBytes, fault.cause)
  limits.refusedBatch(topic, sizeBytes)
  const message = `${topic}: a batch was too large and is sent in smaller ones`
  return new Retryable('SINK_UNAVAILABLE', message, { cause: fault.cause })
}

/** What the brokers refuse an identity with once a later one of its transactional id was given. */
const fenceCodes: ReadonlySet<number | undefined> = new Set([47, 90]) // INVALID_PRODUCER_EPOCH, PRODUCER_FENCED

/** The same fault, or what it means for a producer that can be fenced. */
export function fencedOr(fault: Fault, transactionalId: string | undefined): Fault {
  if (transactionalId === undefined || !fenceCodes.has(protocolCode(fault))) return fault
  const message = `another instance has taken over ${transactionalId}: ${fault.message}`
  return new Fenced('SINK_FENCED', message, { cause: fault.cause })
}

export function lateFault({ topic, partition, trouble }: Lane, limitMs: number): Retryable {
  const why = trouble === undefined ? '' : `: ${trouble}`
  const message = `topic ${topic}, partition ${partition}: nothing was acknowledged within ${limitMs} ms${why}`
  return new Retryable('SINK_UNAVAILABLE', message)
}

/** Names topic and size, never the contents (G9). */
function tooLarge(topic: string, partition: number, sizeBytes: number, cause?: unknown): PoisonEvent {
  const message = `topic ${topic}, partition ${partition}: a record of ${sizeBytes} bytes is larger than the topic takes`
  return new PoisonEvent('SINK_RECORD_TOO_LARGE', message, cause === undefined ? undefined : { cause })
}
