import type { ProduceAnswer, ProduceBatch, ProduceResult } from '../wire.ts'
import { AnswerReader } from './answer-reader.ts'
import type { Request } from './request.ts'

/**
 * Produce, version 8: the first whose answer names single records, and the last that is not flexible. Brokers have it
 * since Kafka 2.4.
 */
export const produceApi = { apiKey: 0, apiVersion: 8 }
const allInSyncReplicas = -1
const unknownServerError = -1

/**
 * Sends `batches`, at most one for each partition, acknowledged by all in-sync replicas. The broker itself waits at
 * most `ackTimeoutMs` for these (then error 7). `transactionalId`: of the one producer whose transaction they are in;
 * undefined where they are in none.
 */
export function produceRequest(
  batches: readonly ProduceBatch[],
  ackTimeoutMs: number,
  transactionalId?: string,
): Request<ProduceAnswer> {
  return {
    ...produceApi,
    encode: () => encodeProduce(batches, ackTimeoutMs, transactionalId),
    parse: answer => parseProduce(answer, batches),
  }
}

function byTopic(batches: readonly ProduceBatch[]): Map<string, ProduceBatch[]> {
  const topics = new Map<string, ProduceBatch[]>()
  for (const batch of batches) {
    const known = topics.get(batch.topic)
    if (known === undefined) topics.set(batch.topic, [batch])
    else known.push(batch)
  }
  return topics
}

/**
 * transactional_id acks timeout_ms [topic [partition records]]. What lies between the batches is written into one
 * buffer, of which the parts are views; the batches themselves are not copied.
 */
function encodeProduce(
  batches: readonly ProduceBatch[],
  ackTimeoutMs: number,
  transactionalId: string | undefined,
): Buffer[] {
  const topics = byTopic(batches)
  const idBytes = transactionalId === undefined ? 0 : Buffer.byteLength(transactionalId)
  let size = 12 + idBytes + 8 * batches.length
  for (const topic of topics.keys()) size += 6 + Buffer.byteLength(topic)
  const between = Buffer.allocUnsafe(size)
  let at = between.writeInt16BE(transactionalId === undefined ? -1 : idBytes, 0)
  if (transactionalId !== undefined) at += between.write(transactionalId, at)
  at = between.writeInt16BE(allInSyncReplicas, at)
  at = between.writeInt32BE(ackTimeoutMs, at)
  at = between.writeInt32BE(topics.size, at)
  const parts: Buffer[] = []
  let written = 0
  for (const [topic, ofTopic] of topics) {
    const length = between.write(topic, at + 2)
    at = between.writeInt16BE(length, at) + length
    at = between.writeInt32BE(ofTopic.length, at)
    for (const { partition, bytes } of ofTopic) {
      at = between.writeInt32BE(partition, at)
      at = between.writeInt32BE(bytes.length, at)
      parts.push(between.subarray(written, at), bytes)
      written = at
    }
  }
  if (written < at) parts.push(between.subarray(written, at))
  return parts
}

function parseProduce(answer: Buffer, batches: readonly ProduceBatch[]): ProduceAnswer {
  const reader = new AnswerReader(answer)
  const topics = new Map<string, Map<number, ProduceResult>>()
  reader.array(() => {
    const topic = reader.string()
    const results = reader.array(() => parseResult(reader, topic))
    topics.set(topic, new Map(results.map(result => [result.partition, result])))
  })
  const throttleMs = reader.int32()
  const results = batches.map(
    ({ topic, partition }) => topics.get(topic)?.get(partition) ?? unanswered(topic, partition),
  )
  return { results, throttleMs }
}

function parseResult(reader: AnswerReader, topic: string): ProduceResult {
  const partition = reader.int32()
  const errorCode = reader.int16()
  const baseOffset = reader.int64()
  reader.skip(16) // log_append_time_ms, log_start_offset
  const rejected = reader.array(() => {
    const index = reader.int32()
    reader.nullableString() // Its message may quote the record's bytes, which are not ours to log.
    return index
  })
  reader.nullableString() // error_message: the code says it.
  return { topic, partition, errorCode, baseOffset, rejected }
}

/** A broker that says nothing about a batch has not acknowledged it. */
function unanswered(topic: string, partition: number): ProduceResult {
  return { topic, partition, errorCode: unknownServerError, baseOffset: -1n, rejected: [] }
}
