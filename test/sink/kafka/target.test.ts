import { describe, expect, inject, it } from 'vitest'
import { Configuration, PoisonEvent, Retryable } from '../../../src/errors.ts'
import { packRecords } from '../../../src/record-headers.ts'
import type { ProducerSettings } from '../../../src/sink/kafka/settings.ts'
import { WireSink } from '../../../src/sink/kafka/wire-sink.ts'
import { freshTopic, never, plain, readTopic, record, spec, targetFor } from './fixture.ts'

const brokers = inject('kafkaBrokers')

describe.each(['platformatic', 'kafkajs'] as const)('a Kafka target that produces with %s', client => {
  const targetOf = (producer: Partial<ProducerSettings> = {}) => targetFor(brokers, producer, client)

  it('delivers 20,000 records over 6 partitions in order, sent in calls of all sizes', async () => {
    await using target = targetOf({ batchBytes: 64 << 10 })
    await using sink = await target.open(plain('orders'), never)
    const topic = freshTopic('order')
    expect(await sink.partitions(topic, spec(6), never)).toBe(6)
    const total = 20_000
    const calls: Promise<void>[] = []
    for (let at = 0, size = 1; at < total; at += size, size = (size * 7) % 997 || 1) {
      const count = Math.min(size, total - at)
      const records = Array.from({ length: count }, (_, i) => record(topic, (at + i) % 6, `${at + i}`.padEnd(300, '.')))
      calls.push(sink.send(packRecords(records), never))
    }
    await Promise.all(calls)
    const read = await readTopic(brokers, topic)
    expect(read).toHaveLength(total)
    for (let partition = 0; partition < 6; partition += 1) {
      const values = read.filter(r => r.partition === partition).map(r => Number.parseInt(r.value ?? '', 10))
      expect(values).toEqual(Array.from({ length: values.length }, (_, i) => i * 6 + partition))
    }
  })

  it('carries tombstones, headers as text and bytes, keys and timestamps, to several topics at once', async () => {
    await using target = targetOf({ compression: 'gzip' })
    await using sink = await target.open(plain('p'), never)
    const [one, two] = [freshTopic('one'), freshTopic('two')]
    await sink.partitions(one, spec(1), never)
    await sink.partitions(two, spec(2), never)
    const position = Buffer.of(0, 255, 128, 7)
    const full = { ...record(one, 0, '{"a":1}', 'ключ'), headers: { 'm2k.op': 'ü', 'm2k.position': position } }
    await sink.send(
      packRecords([full, record(two, 1, null, 'gone'), { ...record(one, 0, 'zero'), timestampMs: 0 }]),
      never,
    )
    const [first, second] = await readTopic(brokers, one)
    expect(first).toMatchObject({ key: 'ключ', value: '{"a":1}', timestamp: '1700000000000' })
    expect(first?.headers['m2k.op']?.toString()).toBe('ü')
    expect(first?.headers['m2k.position']).toEqual(position)
    expect(second?.timestamp).toBe('0')
    expect(await readTopic(brokers, two)).toMatchObject([{ partition: 1, key: 'gone', value: null }])
  })

  it('names topic and size of a record that is too large, and takes no more', async () => {
    await using target = targetOf()
    await using sink = await target.open(plain('p'), never)
    const topic = freshTopic('large')
    await sink.partitions(topic, spec(1, { 'max.message.bytes': '20000' }), never)
    // Far more than the topic's limit together, each below it: they travel in several requests.
    await sink.send(
      packRecords(Array.from({ length: 50 }, (_, i) => record(topic, 0, `${i}`.padEnd(5_000, '.')))),
      never,
    )
    const sent = sink.send(packRecords([record(topic, 0, 'before'), record(topic, 0, 'x'.repeat(30_000))]), never)
    const error = await sent.catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(PoisonEvent)
    expect(error).toMatchObject({ code: 'SINK_RECORD_TOO_LARGE' })
    expect(String(error)).toMatch(new RegExp(`${topic}.* 300\\d\\d bytes`))
    await expect(sink.send(packRecords([record(topic, 0, 'after')]), never)).rejects.toBe(error)
    expect(await readTopic(brokers, topic)).toHaveLength(51)
  })

  it('finds the record that is too large by smaller batches where the limit is not what was read', async () => {
    await using target = targetOf({ batchBytes: 200_000 })
    const topic = freshTopic('shrunk')
    const batch = [...Array.from({ length: 20 }, () => record(topic, 0, 'x'.repeat(3_000)))]
    let attempts = 0
    let delivered = false
    while (!delivered && attempts < 10) {
      attempts += 1
      await using sink = await target.open(plain('p'), never)
      // Another topic is prepared, so that the sink does not learn this one's limit.
      if (attempts === 1) {
        await using other = targetOf()
        await using creator = await other.open(plain('p'), never)
        await creator.partitions(topic, spec(1, { 'max.message.bytes': '20000' }), never)
      }
      delivered = await sink.send(packRecords(batch), never).then(
        () => true,
        (error: unknown) => {
          expect(error).toBeInstanceOf(Retryable)
          return false
        },
      )
    }
    expect(delivered).toBe(true)
    expect(attempts).toBeGreaterThan(1)
  })

  it('exchanges its producer before a partition has had its number of records', async () => {
    // Only kafkajs needs it; a sequence of our own wraps.
    await using target = targetOf({ recordsPerProducer: 100, lingerMs: 0 })
    await using sink = await target.open(plain('p'), never)
    const topic = freshTopic('exchange')
    await sink.partitions(topic, spec(1), never)
    for (let i = 0; i < 12; i += 1) {
      await sink.send(packRecords(Array.from({ length: 30 }, (_, k) => record(topic, 0, `${i * 30 + k}`))), never)
    }
    const read = await readTopic(brokers, topic)
    expect(read.map(r => Number(r.value))).toEqual(Array.from({ length: 360 }, (_, i) => i))
  })

  it('lets concurrent creators of a topic win together, and keeps an existing count', async () => {
    const topic = freshTopic('race')
    const counts = await Promise.all(
      Array.from({ length: 4 }, async () => {
        await using target = targetOf()
        await using sink = await target.open(plain('p'), never)
        return await sink.partitions(topic, spec(5), never)
      }),
    )
    expect(counts).toEqual([5, 5, 5, 5])
    await using target = targetOf()
    await using sink = await target.open(plain('p'), never)
    expect(await sink.partitions(topic, spec(9), never)).toBe(5)
  })

  it('refuses topic names and settings that Kafka does not take', async () => {
    await using target = targetOf()
    await using sink = await target.open(plain('p'), never)
    const invalid = sink.partitions('no spaces', spec(1), never)
    await expect(invalid).rejects.toMatchObject({ code: 'SINK_TOPIC_INVALID' })
    const replicas = sink.partitions(freshTopic('r'), { ...spec(1), replication: 99 }, never)
    await expect(replicas).rejects.toBeInstanceOf(Configuration)
    const config = sink.partitions(freshTopic('c'), spec(1, { 'cleanup.policy': 'nonsense' }), never)
    await expect(config).rejects.toMatchObject({ code: 'SINK_REJECTED' })
  })

  it('passes its check on a broker, and names what is not reachable', async () => {
    await using target = targetOf()
    await target.check(never)
    await using nowhere = targetFor(['127.0.0.1:1'], {}, client)
    await expect(nowhere.check(never)).rejects.toMatchObject({ name: 'Retryable', code: 'SINK_UNREACHABLE' })
    const stop = new AbortController()
    const opened = nowhere.open(plain('p'), stop.signal)
    stop.abort(new Error('enough'))
    await expect(opened).rejects.toThrow('enough')
  })
})

it('takes the fast way where the cluster is new enough, whatever pipelines open at once', async () => {
  await using target = targetFor(brokers)
  const sinks = await Promise.all(['a', 'b', 'c'].map(pipeline => target.open(plain(pipeline), never)))
  for (const sink of sinks) expect(sink).toBeInstanceOf(WireSink)
})
