import { connect } from 'node:net'
import { Kafka, logLevel } from 'kafkajs'
import { describe, expect, inject, it } from 'vitest'
import { packRecords } from '../../../../src/record-headers.ts'
import { createTopic } from '../create-topic.ts'
import { freshTopic, never, plain, readTopic, record, spec, targetFor } from '../fixture.ts'
import type { ProduceRules } from './produce.ts'
import { KafkaProxy, transactionApis } from './proxy.ts'

const brokers = inject('kafkaBrokers')
const apis = { produce: 0, fetch: 1, metadata: 3 }

const clientOf = (at: readonly string[]) =>
  new Kafka({ brokers: [...at], logLevel: logLevel.NOTHING, retry: { retries: 1 } })

describe('the proxy', () => {
  it('is taken for the whole cluster: no client leaves it', async () => {
    await using proxy = await KafkaProxy.open({ brokers })
    const admin = clientOf(proxy.brokers).admin()
    await admin.connect()
    const cluster = await admin.describeCluster()
    await admin.disconnect()
    expect(cluster.brokers.map(({ host, port }) => `${host}:${port}`)).toEqual(proxy.brokers)
    const topic = freshTopic('proxy')
    await using target = targetFor(proxy.brokers)
    await target.check(never)
    await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
    expect(target.capabilities.transactions).toBe(true)
    await sink.partitions(topic, spec(1), never)
    await sink.send(packRecords([record(topic, 0, 'v')]), never)
    expect(proxy.passed.get(apis.produce)).toBe(1)
    expect(await readTopic(proxy.brokers, topic)).toHaveLength(1)
    expect(proxy.passed.get(apis.fetch)).toBeGreaterThan(0)
  })

  it('does not list what it refuses, and closes the connection of who asks all the same', async () => {
    await using proxy = await KafkaProxy.open({ brokers, refused: transactionApis })
    const topic = freshTopic('proxy')
    await using target = targetFor(proxy.brokers)
    await target.check(never)
    expect(target.capabilities).toEqual({ headers: true, idempotence: false, transactions: false })
    await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
    await sink.partitions(topic, spec(1), never)
    await sink.send(packRecords([record(topic, 0, 'v')]), never)
    expect(await readTopic(brokers, topic)).toHaveLength(1)
    expect(proxy.refusals).toBe(0)
    const producer = clientOf(proxy.brokers).producer({ transactionalId: 'x', idempotent: true })
    await expect(producer.connect().then(() => producer.transaction())).rejects.toThrow()
    await producer.disconnect()
  })

  it('speaks old versions only, takes short requests only, and loses answers', async () => {
    const topic = freshTopic('proxy')
    const versions = { [apis.produce]: 5, [apis.fetch]: 4, [apis.metadata]: 5 }
    await using proxy = await KafkaProxy.open({ brokers, versions, requestLimitBytes: 10_000 })
    const client = clientOf(proxy.brokers)
    const [admin, producer] = [client.admin(), client.producer({ retry: { retries: 0 } })]
    await admin.connect()
    await createTopic(admin, { topic, numPartitions: 1 })
    await producer.connect()
    await producer.send({ topic, messages: [{ value: 'short' }] })
    await expect(producer.send({ topic, messages: [{ value: 'x'.repeat(20_000) }] })).rejects.toThrow()
    expect(proxy.refusals).toBe(1)
    proxy.losing.set(apis.produce, 1)
    await expect(producer.send({ topic, messages: [{ value: 'taken' }] })).rejects.toThrow()
    await Promise.all([admin.disconnect(), producer.disconnect()])
    expect((await readTopic(brokers, topic)).map(({ value }) => value)).toEqual(['short', 'taken'])
  })

  it('strips headers, or refuses records with headers and codecs it does not know', async () => {
    const topic = freshTopic('proxy')
    const headed = { ...record(topic, 0, 'v'), headers: { h: 'x' } }
    const long = { ...headed, value: Buffer.from('x'.repeat(5_000)) }
    const sendTo = async (produce: ProduceRules, compression: 'none' | 'gzip', records = [headed, long]) => {
      await using proxy = await KafkaProxy.open({ brokers, produce })
      await using target = targetFor(proxy.brokers, { compression })
      await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
      await sink.partitions(topic, spec(1), never)
      await sink.send(packRecords(records), never)
      return proxy.met
    }
    expect(await sendTo({ headers: 'strip' }, 'gzip')).toEqual({ refused: 0, throttled: 0, stripped: 1 })
    const refused = sendTo({ headers: 'refuse' }, 'none', [headed])
    await expect(refused).rejects.toMatchObject({ name: 'PoisonEvent', code: 'SINK_RECORD_INVALID' })
    await expect(sendTo({ codecs: [0] }, 'gzip')).rejects.toMatchObject({ code: 'SINK_REJECTED' })
    await sendTo({ codecs: [0] }, 'none')
    const read = await readTopic(brokers, topic)
    expect(read.map(({ headers }) => Object.keys(headers))).toEqual([[], [], ['h'], ['h']])
  })

  it.each(['throttle', 'error'] as const)('gives a partition so many bytes a second, beyond: %s', async beyond => {
    const topic = freshTopic('proxy')
    await using proxy = await KafkaProxy.open({ brokers, produce: { partitionBytesPerSecond: 20_000, beyond } })
    await using target = targetFor(proxy.brokers, { batchBytes: 16_000 })
    await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
    await sink.partitions(topic, spec(1), never)
    const values = Array.from({ length: 12 }, (_, n) => `${n}`.padEnd(5_000, '.'))
    for (const value of values) await sink.send(packRecords([record(topic, 0, value)]), never)
    expect((await readTopic(brokers, topic)).map(({ value }) => value)).toEqual(values)
    expect(proxy.met[beyond === 'error' ? 'refused' : 'throttled']).toBeGreaterThan(0)
  })

  it('lists InitProducerId and refuses it: the target is taken for one without idempotence', async () => {
    await using proxy = await KafkaProxy.open({ brokers, identityError: 42 })
    await using target = targetFor(proxy.brokers)
    await target.check(never)
    expect(target.plan.client).toBe('kafkajs')
    expect(target.capabilities).toEqual({ headers: true, idempotence: false, transactions: false })
  })

  it('has no administrative APIs: existing topics are used, and others are to be created by hand', async () => {
    const topic = freshTopic('proxy')
    await using creator = targetFor(brokers)
    await using plainSink = await creator.open(plain('p'), never)
    await plainSink.partitions(topic, spec(2), never)
    const [createTopics, describeConfigs] = [19, 32]
    await using proxy = await KafkaProxy.open({ brokers, refused: [...transactionApis, createTopics, describeConfigs] })
    await using target = targetFor(proxy.brokers)
    await using sink = await target.open(plain('p'), never)
    expect(await sink.partitions(topic, spec(2), never)).toBe(2)
    await sink.send(packRecords([record(topic, 1, 'v')]), never)
    const absent = sink.partitions(freshTopic('absent'), spec(3), never)
    await expect(absent).rejects.toMatchObject({
      name: 'Configuration',
      code: 'SINK_UNSUPPORTED',
      message: expect.stringMatching(/does not offer to create it: create it with 3 partitions/),
    })
  })

  it('closes connections now and then', async () => {
    await using proxy = await KafkaProxy.open({ brokers, closeAfterMs: 20 })
    const [port] = proxy.brokers.map(address => Number(address.split(':')[1]))
    const socket = connect(port!, '127.0.0.1')
    await new Promise(resolve => socket.once('close', resolve))
  })
})
