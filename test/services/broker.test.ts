import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../../src/services/broker.ts'
import { isAlive, options } from './servers.ts'

describe('a broker of our own', () => {
  it('keeps acknowledged records through kill -9, answers after a freeze, and leaves nothing behind', async () => {
    const broker = await startBroker({ ...options(), properties: { 'num.partitions': 3 } })
    await using _ = broker
    const kafka = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    const topic = 'orders'
    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true })
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic, acks: -1, messages: [{ partition: 0, key: '1', value: 'a' }] })

    await broker.kill()
    expect(broker.running).toBe(false)
    await broker.start(AbortSignal.timeout(90_000))
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
