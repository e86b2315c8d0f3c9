import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, test } from 'vitest'
import { freshTopic } from './fixture.ts'
import { readToEnd } from './read-to-end.ts'

/** Two of them do not fit into one fetch of a partition. */
const largeBytes = 1_040_000

test('ends in a partition whose last fetch brings an aborted record, the marker of its end, and nothing else', async () => {
  const brokers = inject('kafkaBrokers')
  const topic = freshTopic('read-to-end')
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] })
  await admin.disconnect()
  const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  for (const key of ['committed', 'aborted']) {
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: [{ partition: 1, key, value: Buffer.alloc(largeBytes) }] })
    await (key === 'committed' ? transaction.commit() : transaction.abort())
  }
  await producer.disconnect()
  const read = async (uncommitted: boolean) => {
    const found: string[] = []
    await readToEnd(brokers, [topic], (_, partition, { key }) => found.push(`${partition} ${key}`), { uncommitted })
    return found
  }
  expect(await read(false)).toEqual(['1 committed'])
  expect(await read(true)).toEqual(['1 committed', '1 aborted'])
})
