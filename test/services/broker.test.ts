import { type Admin, Kafka, logLevel } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { startBroker, startBrokers } from '../../src/services/broker.ts'
import { createTopic } from '../sink/kafka/create-topic.ts'
import { isAlive, options, soonBack } from './servers.ts'

describe('a broker of our own', () => {
  it('keeps acknowledged records through kill -9, answers after a freeze, and leaves nothing behind', async () => {
    const broker = await startBroker({ ...options(), properties: { ...soonBack, 'num.partitions': 3 } })
    await using _ = broker
    const kafka = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const topic = 'orders'
    await createTopic(admin, { topic })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ partition: 0, key: '1', value: 'a' }] })

    await broker.kill()
    expect(broker.running).toBe(false)
    await broker.start(AbortSignal.timeout(240_000))
    const lastPid = broker.pid!

    broker.freeze()
    const sending = producer.send({ topic, acks: -1, messages: [{ partition: 0, key: '1', value: 'b' }] })
    broker.thaw()
    await sending
    const offsets = await admin.fetchTopicOffsets(topic)
    expect(offsets).toHaveLength(3)
    expect(offsets.find(({ partition }) => partition === 0)?.high).toBe('2')

    await producer.disconnect()
    await admin.disconnect()
    await broker[Symbol.asyncDispose]()
    expect(isAlive(lastPid)).toBe(false)
  })
})

/** Asks until `topic` has the leader and in-sync replicas that are wanted; the test's own limit ends it. */
async function partitionWhere(
  admin: Admin,
  topic: string,
  wanted: (partition: { leader: number; isr: readonly number[] }) => boolean,
): Promise<{ leader: number }> {
  for (;;) {
    // The node that is asked may itself be the one that is away.
    const metadata = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => undefined)
    const partition = metadata?.topics[0]?.partitions[0]
    if (partition && wanted(partition)) return partition
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

describe('three brokers of our own', () => {
  it('go on without any one of them, killed or frozen, and take it back', async () => {
    await using cluster = await startBrokers(options())
    const kafka = new Kafka({ brokers: [...cluster.brokers], logLevel: logLevel.NOTHING, retry: { retries: 30 } })
    const admin = kafka.admin()
    await admin.connect()
    const topic = 'orders'
    await createTopic(admin, { topic, numPartitions: 1 })
    const producer = kafka.producer()
    await producer.connect()
    const send = (value: string) => producer.send({ topic, acks: -1, messages: [{ key: '1', value }] })
    await send('a')
    const pids = cluster.nodes.map(({ pid }) => pid)

    const first = await partitionWhere(admin, topic, ({ isr }) => isr.length === 3)
    const killed = cluster.nodes.find(({ id }) => id === first.leader)!
    await killed.kill()
    await partitionWhere(admin, topic, ({ leader, isr }) => leader > 0 && leader !== killed.id && isr.length === 2)
    await send('b')
    await killed.start(AbortSignal.timeout(240_000))
    // It leads again by itself: the partition's first replica is the preferred one.
    await partitionWhere(admin, topic, ({ leader, isr }) => leader === killed.id && isr.length === 3)

    killed.freeze()
    await partitionWhere(admin, topic, ({ leader }) => leader > 0 && leader !== killed.id)
    await send('c')
    killed.thaw()
    await partitionWhere(admin, topic, ({ leader, isr }) => leader === killed.id && isr.length === 3)
    await producer.disconnect()
    await admin.disconnect()

    const reader = kafka.admin() // Not the one above: it may ask whom it knew as leader.
    await reader.connect()
    // For a moment a broker that wakes up takes itself for the leader that it was, and knows nothing of the last record.
    const high = async () => (await reader.fetchTopicOffsets(topic).catch(() => []))[0]?.high
    while ((await high()) !== '3') await new Promise(resolve => setTimeout(resolve, 100))
    await reader.disconnect()
    await cluster[Symbol.asyncDispose]()
    expect(pids.some(pid => isAlive(pid!))).toBe(false)
  })
})
