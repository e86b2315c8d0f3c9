import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import type { CheckpointStore } from '../../src/checkpoint/checkpoint.ts'
import { lookAtKafkaCheckpoints, openKafkaCheckpoints } from '../../src/checkpoint/kafka.ts'
import type { KafkaAccess } from '../../src/checkpoint/kafka-connection.ts'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { faultOf } from '../../src/sink/kafka/classify.ts'
import { createClient } from '../../src/sink/kafka/client.ts'
import { PartitionReader } from '../../src/sink/kafka/reading/partition-reader.ts'
import { createTopic } from '../sink/kafka/create-topic.ts'
import { describeStore } from './conformance.ts'
import { sample } from './sample.ts'

const never = new AbortController().signal
const brokers = inject('kafkaBrokers')
const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
const admin = kafka.admin()
const producer = kafka.producer({ createPartitioner: () => () => 0 })
const access = (): KafkaAccess => ({
  reader: new PartitionReader({ settings: { brokers, clientId: 'test' }, clock: systemClock }),
  connect: patience =>
    createClient({ settings: { brokers, clientId: 'test' }, log: silentLogger, clock: systemClock, patience }),
  faultOf,
  clock: systemClock,
})
let topics = 0

beforeAll(async () => {
  await admin.connect()
  await producer.connect()
})
afterAll(async () => {
  await producer.disconnect()
  await admin.disconnect()
})

function freshTopic(): string {
  topics += 1
  return `checkpoints-${process.pid}-${topics}`
}

function open(topic: string): Promise<CheckpointStore> {
  return openKafkaCheckpoints({ ...access(), deployment: 'shop', topic, replication: 1 }, never)
}

async function plant(topic: string, value: Buffer | null): Promise<void> {
  await producer.send({ topic, messages: [{ key: 'orders/0', value }] })
}

describeStore('Kafka checkpoints', async () => {
  const topic = freshTopic()
  await (await open(topic))[Symbol.asyncDispose]()
  return { open: () => open(topic), plant: bytes => plant(topic, bytes) }
})

it('is looked at without being created', async () => {
  const topic = freshTopic()
  const look = () => lookAtKafkaCheckpoints({ ...access(), deployment: 'shop', topic, replication: 1 }, never)
  {
    await using nothing = await look()
    expect(await nothing.load('orders', 0, never)).toBeUndefined()
    await expect(nothing.save(sample(), never)).rejects.toMatchObject({ code: 'INTERNAL' })
  }
  expect(await admin.listTopics()).not.toContain(topic)
  {
    await using store = await open(topic)
    await store.save(sample(), never)
  }
  await using store = await look()
  expect(await store.load('orders', 0, never)).toEqual(sample())
})

it('creates its topic compacted only, and leaves no consumer group behind', async () => {
  const deployment = freshTopic()
  const options = () => ({ ...access(), deployment, replication: 1 })
  {
    await using store = await openKafkaCheckpoints(options(), never)
    await store.save(sample({ deployment }), never)
  }
  await using store = await openKafkaCheckpoints(options(), never)
  expect(await store.load('orders', 0, never)).toEqual(sample({ deployment }))
  const name = `mongo2kafka.${deployment}.checkpoints`
  const { resources } = await admin.describeConfigs({ resources: [{ type: 2, name }], includeSynonyms: false })
  const entries = Object.fromEntries(resources[0]?.configEntries.map(e => [e.configName, e.configValue]) ?? [])
  expect(entries).toMatchObject({ 'cleanup.policy': 'compact', 'segment.bytes': '16777216', 'segment.ms': '600000' })
  const { groups } = await admin.listGroups()
  expect(groups.filter(({ groupId }) => groupId.includes(deployment))).toEqual([])
})

it('refuses a topic that Kafka would delete checkpoints from, and names what to set', async () => {
  const topic = freshTopic()
  await createTopic(admin, { topic, numPartitions: 1 })
  const error = await open(topic).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ name: 'Configuration', code: 'CHECKPOINT_TOPIC' })
  expect(String(error)).toContain('cleanup.policy=compact (is delete)')
  const wide = freshTopic()
  await createTopic(admin, { topic: wide, numPartitions: 3 })
  await expect(open(wide)).rejects.toThrow('has 3 partitions, one for each slot, and 1 slots are configured')
})

it('takes a deleted record for absent, and another deployment for an error', async () => {
  const topic = freshTopic()
  {
    await using store = await open(topic)
    await store.save(sample(), never)
  }
  await plant(topic, null)
  {
    await using store = await open(topic)
    expect(await store.load('orders', 0, never)).toBeUndefined()
    await store.save(sample({ deployment: 'other' }), never)
  }
  await using store = await open(topic)
  await expect(store.load('orders', 0, never)).rejects.toThrow(`${topic}-0@`)
})

it('sends the latest of the saves that waited, and not each', async () => {
  const topic = freshTopic()
  await using store = await open(topic)
  const [before] = await admin.fetchTopicOffsets(topic)
  await Promise.all(Array.from({ length: 200 }, (_, i) => store.save(sample({ epoch: i }), never)))
  const [after] = await admin.fetchTopicOffsets(topic)
  expect(Number(after?.high) - Number(before?.high)).toBeLessThanOrEqual(2)
})

it('reads what a store that is open all the time has written, however much', async () => {
  const topic = freshTopic()
  {
    await using store = await open(topic)
    for (let epoch = 0; epoch < 300; epoch += 1) {
      await store.save(sample({ epoch, cluster: 'x'.repeat(2_000), pipeline: `p${epoch % 7}` }), never)
    }
  }
  await using store = await open(topic)
  expect(await store.load('p5', 0, never)).toMatchObject({ pipeline: 'p5', epoch: 299 - ((299 - 5) % 7) })
})

it('gives up opening at an abort, and asks for another try where nothing listens', async () => {
  const nowhere: KafkaAccess = {
    ...access(),
    connect: patience =>
      createClient({
        settings: { brokers: ['127.0.0.1:1'], clientId: 'test' },
        log: silentLogger,
        clock: systemClock,
        patience,
      }),
  }
  const options = { ...nowhere, deployment: 'shop', replication: 1 }
  await expect(openKafkaCheckpoints(options, never)).rejects.toMatchObject({
    name: 'Retryable',
    code: 'CHECKPOINT_UNAVAILABLE',
  })
  const stop = new AbortController()
  const opening = openKafkaCheckpoints(options, stop.signal)
  stop.abort(new Error('stopping'))
  await expect(opening).rejects.toThrow('stopping')
})
