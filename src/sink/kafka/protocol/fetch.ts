import { AnswerReader } from './answer-reader.ts'
import { BrokerError } from './broker-error.ts'
import type { Request } from './request.ts'

/**
 * Fetch, version 4: the first with isolation levels. Brokers have it since Kafka 0.11, and still in 4. From topics whose
 * own `compression.type` is zstd a broker answers versions before 10 with UNSUPPORTED_COMPRESSION_TYPE (KIP-110).
 */
export const fetchApi = { apiKey: 1, apiVersion: 4 }
/** Fetch, version 10: knows zstd, and is not flexible. Brokers have it since Kafka 2.1. */
export const fetchWithZstdApi = { apiKey: 1, apiVersion: 10 }
const noReplica = -1
const noSession = { id: 0, epoch: -1 }
const unknownLeaderEpoch = -1
const unknownLogStart = -1n

/** Whether records of open and aborted transactions are seen. */
export type Isolation = 'read_uncommitted' | 'read_committed'

export interface FetchQuestion {
  readonly topic: string
  readonly partition: number
  readonly offset: bigint
  readonly isolation: Isolation
  /** A first record batch that is larger comes whole all the same (KIP-74). */
  readonly limitBytes: number
}

/** Records of `producerId` from `firstOffset` on, to its next abort marker, belong to an aborted transaction. */
export interface AbortedTransaction {
  readonly producerId: bigint
  readonly firstOffset: bigint
}

export interface FetchedPartition {
  /** Kafka's error code; with one, all else is without meaning. */
  readonly errorCode: number
  readonly highWatermark: bigint
  /** Everything before it is decided: committed, aborted or in no transaction. -1: the broker does not know. */
  readonly lastStableOffset: bigint
  /** Those that overlap `records`, for read_committed. */
  readonly aborted: readonly AbortedTransaction[]
  /** Record batches one after the other, the first perhaps from before the offset, the last perhaps cut off. */
  readonly records: Buffer
}

export interface FetchAnswer {
  readonly throttleMs: number
  /** undefined: the broker says nothing about it, as when it throttles. */
  readonly partition: FetchedPartition | undefined
}

/** A broker may take this long only where its records lie in remote storage: with data or without, it answers at once. */
export const remoteWaitMs = 2_000

/**
 * Asks the leader of one partition for records from an offset on, those that it has now. `version`: the answer of
 * either. The parser throws BrokerError for an error about the whole request.
 */
export function fetchRequest(question: FetchQuestion, version: 4 | 10): Request<FetchAnswer> {
  return {
    ...fetchApi,
    apiVersion: version,
    encode: () => [encodeFetch(question, version)],
    parse: answer => parseFetch(answer, question, version),
  }
}

/**
 * replica_id max_wait_ms min_bytes max_bytes isolation_level (session_id session_epoch)
 * [topic [partition (current_leader_epoch) fetch_offset (log_start_offset) partition_max_bytes]] ([forgotten topics])
 */
function encodeFetch({ topic, partition, offset, isolation, limitBytes }: FetchQuestion, version: 4 | 10): Buffer {
  const body = Buffer.allocUnsafe(43 + (version === 10 ? 24 : 0) + Buffer.byteLength(topic))
  let at = body.writeInt32BE(noReplica, 0)
  at = body.writeInt32BE(remoteWaitMs, at)
  at = body.writeInt32BE(0, at)
  at = body.writeInt32BE(limitBytes, at)
  at = body.writeInt8(isolation === 'read_committed' ? 1 : 0, at)
  if (version === 10) {
    at = body.writeInt32BE(noSession.id, at)
    at = body.writeInt32BE(noSession.epoch, at)
  }
  at = body.writeInt32BE(1, at)
  const length = body.write(topic, at + 2)
  at = body.writeInt16BE(length, at) + length
  at = body.writeInt32BE(1, at)
  at = body.writeInt32BE(partition, at)
  if (version === 10) at = body.writeInt32BE(unknownLeaderEpoch, at)
  at = body.writeBigInt64BE(offset, at)
  if (version === 10) at = body.writeBigInt64BE(unknownLogStart, at)
  at = body.writeInt32BE(limitBytes, at)
  if (version === 10) body.writeInt32BE(0, at)
  return body
}

function parseFetch(answer: Buffer, { topic, partition }: FetchQuestion, version: 4 | 10): FetchAnswer {
  const reader = new AnswerReader(answer)
  const throttleMs = reader.int32()
  if (version === 10) {
    const errorCode = reader.int16()
    reader.skip(4) // session_id
    if (errorCode !== 0) throw new BrokerError(errorCode)
  }
  let found: FetchedPartition | undefined
  reader.array(() => {
    const name = reader.string()
    reader.array(() => {
      const index = reader.int32()
      const fetched = parsePartition(reader, version)
      if (name === topic && index === partition) found = fetched
    })
  })
  return { throttleMs, partition: found }
}

function parsePartition(reader: AnswerReader, version: 4 | 10): FetchedPartition {
  const errorCode = reader.int16()
  const highWatermark = reader.int64()
  const lastStableOffset = reader.int64()
  if (version === 10) reader.skip(8) // log_start_offset
  const aborted = reader.array(() => ({ producerId: reader.int64(), firstOffset: reader.int64() }))
  return { errorCode, highWatermark, lastStableOffset, aborted, records: reader.bytes() }
}
