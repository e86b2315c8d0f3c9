import type { TopicPartition, TransactionalIdentity } from '../wire.ts'
import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { refusedRequest } from './broker-error.ts'
import type { Request } from './request.ts'

/**
 * AddPartitionsToTxn, version 1: brokers have it since Kafka 2.0. Version 2 differs only in that 90 (PRODUCER_FENCED)
 * is answered in place of 47, and 4 is for brokers among themselves.
 */
export const addPartitionsToTxnApi = { apiKey: 24, apiVersion: 1 }
/** The answer about a partition that is well itself while another of the same request is not. */
const operationNotAttempted = 55
/** TRANSACTIONAL_ID_AUTHORIZATION_FAILED: the answer about every partition. */
const transactionalIdDenied = 53

/**
 * Makes `partitions`, each at most once, part of the open transaction, and opens one where there is none. All or
 * nothing: the parser throws BrokerError with the first partition's error that is one of its own.
 */
export function addPartitionsToTxnRequest(
  identity: TransactionalIdentity,
  partitions: readonly TopicPartition[],
): Request<void> {
  const encode = () => [encodeAddPartitions(identity, partitions)]
  return { ...addPartitionsToTxnApi, encode, parse: answer => parseResults(answer, identity) }
}

/** transactional_id producer_id producer_epoch [topic [partition]] */
function encodeAddPartitions(identity: TransactionalIdentity, partitions: readonly TopicPartition[]): Buffer {
  const writer = new BodyWriter()
  writer.string(identity.transactionalId).int64(identity.producerId).int16(identity.producerEpoch)
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  writer.array([...byTopic], ([topic, ofTopic]) => {
    writer.string(topic)
    writer.array(ofTopic, ({ partition }) => writer.int32(partition))
  })
  return writer.bytes
}

function parseResults(answer: Buffer, { transactionalId }: TransactionalIdentity): void {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const results = reader.array(() => {
    const topic = reader.string()
    return reader.array(() => ({ topic, partition: reader.int32(), errorCode: reader.int16() }))
  })
  const refused = results.flat().filter(({ errorCode }) => errorCode !== 0)
  const first = refused.find(({ errorCode }) => errorCode !== operationNotAttempted) ?? refused[0]
  if (first === undefined) return
  const { topic, partition, errorCode } = first
  const name = errorCode === transactionalIdDenied ? transactionalId : topic
  throw refusedRequest('AddPartitionsToTxn', errorCode, name, `topic ${topic}, partition ${partition}`)
}
