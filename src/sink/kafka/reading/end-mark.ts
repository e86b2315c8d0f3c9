import { packRecords } from '../../../record-headers.ts'
import { AnswerReader, MalformedAnswer } from '../protocol/answer-reader.ts'
import { produceApi, produceRequest } from '../protocol/produce.ts'
import type { Request } from '../protocol/request.ts'
import { BufferPool } from '../record-batch/buffer-pool.ts'
import { RecordBatch } from '../record-batch/record-batch.ts'
import type { ProduceBatch } from '../wire.ts'

/** Produce, version 3: its request is that of version 8. Brokers have it since Kafka 0.11, and still in 4. */
export const endMarkApi = { ...produceApi, apiVersion: 3 }
/** Less than the reader waits for any answer: the broker then says itself that its followers are silent. */
const ackTimeoutMs = 3_000
const noProducer = -1

export interface EndMark {
  readonly topic: string
  readonly partition: number
  readonly key: string
  readonly timestampMs: number
}

export interface EndMarkAnswer {
  readonly errorCode: number
  /** Where the mark lies; -1 with an error. */
  readonly offset: bigint
}

/**
 * Writes a record without value, acknowledged by all in-sync replicas. It belongs to no producer and no transaction:
 * sent again after a lost answer it may lie there twice, which harms nobody.
 */
export function endMarkRequest(mark: EndMark): Request<EndMarkAnswer> {
  const { encode } = produceRequest([batchOf(mark)], ackTimeoutMs)
  return { ...endMarkApi, encode, parse: answer => parseAnswer(answer, mark) }
}

function batchOf({ topic, partition, key, timestampMs }: EndMark): ProduceBatch {
  const record = { topic, partition, key: Buffer.from(key), value: null, headers: {}, timestampMs }
  const batch = new RecordBatch(topic, partition, new BufferPool())
  batch.append(packRecords([record]), 0)
  void batch.seal(BigInt(noProducer), noProducer, noProducer, 'none') // Done on return, without compression.
  return { topic, partition, bytes: batch.bytes }
}

/** [topic [partition error_code base_offset log_append_time_ms]] throttle_time_ms */
function parseAnswer(answer: Buffer, { topic, partition }: EndMark): EndMarkAnswer {
  const reader = new AnswerReader(answer)
  const topics = reader.array(() => ({
    name: reader.string(),
    partitions: reader.array(() => {
      const result = { index: reader.int32(), errorCode: reader.int16(), offset: reader.int64() }
      reader.skip(8)
      return result
    }),
  }))
  reader.skip(4)
  const { partitions } = topics.find(({ name }) => name === topic) ?? {}
  const result = partitions?.find(({ index }) => index === partition)
  if (result === undefined) throw new MalformedAnswer(`an answer that says nothing about ${topic}-${partition}`)
  return { errorCode: result.errorCode, offset: result.offset }
}
