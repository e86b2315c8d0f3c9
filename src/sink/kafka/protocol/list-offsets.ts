import { AnswerReader, MalformedAnswer } from './answer-reader.ts'
import type { Isolation } from './fetch.ts'
import type { Request } from './request.ts'

/** ListOffsets, version 2: the first that knows isolation levels. Brokers have it since Kafka 0.11, and still in 4. */
export const listOffsetsApi = { apiKey: 2, apiVersion: 2 }
/** We are a consumer, not a replica. */
const noReplica = -1
const timestamps = { latest: -1n, earliest: -2n } as const

export interface OffsetQuestion {
  readonly topic: string
  readonly partition: number
  /**
   * `latest` is the high watermark, or for `read_committed` the last stable offset; `earliest` the first offset that
   * retention has left.
   */
  readonly at: keyof typeof timestamps
  readonly isolation: Isolation
}

export interface OffsetAnswer {
  /**
   * Kafka's error code. 5 (LEADER_NOT_AVAILABLE) also says that a new leader does not know the high watermark yet
   * (KIP-207): what it would answer could be before records that are acknowledged.
   */
  readonly errorCode: number
  /** -1 with an error. */
  readonly offset: bigint
}

/** Asks the leader of one partition. */
export function listOffsetsRequest(question: OffsetQuestion): Request<OffsetAnswer> {
  return {
    ...listOffsetsApi,
    encode: () => [encodeListOffsets(question)],
    parse: answer => parseListOffsets(answer, question),
  }
}

/** replica_id isolation_level [topic [partition timestamp]] */
function encodeListOffsets({ topic, partition, at: place, isolation }: OffsetQuestion): Buffer {
  const body = Buffer.allocUnsafe(27 + Buffer.byteLength(topic))
  let at = body.writeInt32BE(noReplica, 0)
  at = body.writeInt8(isolation === 'read_committed' ? 1 : 0, at)
  at = body.writeInt32BE(1, at)
  const length = body.write(topic, at + 2)
  at = body.writeInt16BE(length, at) + length
  at = body.writeInt32BE(1, at)
  at = body.writeInt32BE(partition, at)
  body.writeBigInt64BE(timestamps[place], at)
  return body
}

function parseListOffsets(answer: Buffer, { topic, partition }: OffsetQuestion): OffsetAnswer {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const topics = reader.array(() => ({
    name: reader.string(),
    partitions: reader.array(() => {
      const index = reader.int32()
      const errorCode = reader.int16()
      reader.skip(8) // timestamp
      return { index, errorCode, offset: reader.int64() }
    }),
  }))
  const found = topics.find(({ name }) => name === topic)?.partitions.find(({ index }) => index === partition)
  if (found === undefined) throw new MalformedAnswer(`nothing about ${topic}-${partition}, which was asked for`)
  return { errorCode: found.errorCode, offset: found.offset }
}
