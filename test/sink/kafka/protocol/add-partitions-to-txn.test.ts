import { addPartitionsToTxnV1, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import {
  addPartitionsToTxnApi,
  addPartitionsToTxnRequest,
} from '../../../../src/sink/kafka/protocol/add-partitions-to-txn.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const identity = { transactionalId: 'shop.orders.0', producerId: 2n ** 53n + 1n, producerEpoch: 3 }
const partitions = [
  { topic: 'a', partition: 2 },
  { topic: 'b', partition: 0 },
  { topic: 'a', partition: 1 },
]

function answerOf(results: Readonly<Record<string, readonly (readonly [number, number])[]>>): Buffer {
  const writer = Writer.create().appendInt32(0)
  const topics = Object.entries(results)
  writer.appendInt32(topics.length)
  for (const [topic, errors] of topics) {
    writer.appendString(topic, false).appendInt32(errors.length)
    for (const [partition, errorCode] of errors) writer.appendInt32(partition).appendInt16(errorCode)
  }
  return writer.buffer
}

describe('AddPartitionsToTxn', () => {
  it('is byte for byte what both clients send', async () => {
    const ours = Buffer.concat(addPartitionsToTxnRequest(identity, partitions).encode())
    const topics = [
      { name: 'a', topic: 'a', partitions: [2, 1] },
      { name: 'b', topic: 'b', partitions: [0] },
    ]
    const { transactionalId, producerId, producerEpoch } = identity
    const transaction = { transactionalId, producerId, producerEpoch, verifyOnly: false, topics }
    expect(ours).toEqual(addPartitionsToTxnV1.createRequest([transaction]).buffer)
    const fields = { transactionalId, producerId: String(producerId), producerEpoch, topics }
    expect(ours).toEqual(await kafkaJsBody('addPartitionsToTxn/v1', fields))
    const { key, version } = addPartitionsToTxnV1.api
    expect(addPartitionsToTxnApi).toEqual({ apiKey: key, apiVersion: version })
  })

  it('is answered for each partition, all without error', () => {
    const answer = answerOf({ a: [[1, 0], [2, 0]], b: [[0, 0]] }) // biome-ignore format: a table
    expect(addPartitionsToTxnRequest(identity, partitions).parse(answer)).toBeUndefined()
  })

  it('or throws the error of the partition that is to blame', () => {
    const answer = answerOf({ a: [[1, 55], [2, 55]], b: [[0, 29]] }) // biome-ignore format: a table
    const parse = () => addPartitionsToTxnRequest(identity, partitions).parse(answer)
    expect(parse).toThrow('topic b, partition 0: the broker answers TOPIC_AUTHORIZATION_FAILED (29)')
  })
})
