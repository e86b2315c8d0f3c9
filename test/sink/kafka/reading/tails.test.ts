import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { PartitionReader } from '../../../../src/sink/kafka/reading/partition-reader.ts'
import { Tails } from '../../../../src/sink/kafka/reading/tails.ts'
import { wovenValue } from '../../../../src/sink/woven.ts'
import { never, record, targetFor } from '../fixture.ts'
import { KafkaProxy, transactionApis } from '../proxy/proxy.ts'
import { makeTopic } from '../wire-fixture.ts'

const brokers = inject('kafkaBrokers')
/** Of a target that is so old that it knows neither transactions nor flexible versions: Produce, Fetch, ListOffsets, Metadata. */
const oldVersions = { 0: 5, 1: 4, 2: 2, 3: 5 }

/** Record of source `s` with position `n` and nothing else. */
function own(topic: string, partition: number, n: number, source = 's') {
  const headers = { 'm2k.op': 'c', 'm2k.source': source, 'm2k.position': Buffer.of(n) }
  return { ...record(topic, partition, `v${n}`), headers }
}

it('reads the highest position of a source in each partition, among foreign records, over kafkajs and a proxy', async () => {
  await using proxy = await KafkaProxy.open({ brokers, refused: transactionApis, versions: oldVersions })
  const topic = await makeTopic(brokers, 4)
  const foreign = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).producer()
  await foreign.connect()
  const strange = { partition: 1, key: null, value: null, headers: { 'm2k.source': [], other: ['a', 'b'] } }
  await foreign.send({ topic, messages: [strange, { partition: 1, value: 'plain' }] })
  await using target = targetFor(proxy.brokers)
  await target.check(never)
  await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
  expect(sink.capabilities.idempotence).toBe(false)
  await sink.send(
    packRecords([own(topic, 0, 3), own(topic, 1, 1), own(topic, 1, 4), own(topic, 1, 9, 'other/s')]),
    never,
  )
  await foreign.send({
    topic,
    messages: [
      { ...strange, partition: 2 },
      { partition: 1, value: 'last' },
    ],
  })
  await foreign.disconnect()

  await using reader = new PartitionReader({
    settings: { brokers: proxy.brokers, clientId: 'test' },
    clock: systemClock,
  })
  const tails = new Tails(reader, true)
  const ends = await tails.ends(topic, 4, never)
  expect(ends).toEqual([1, 6, 1, 0])
  const highest = (from: readonly number[], source = 's') => tails.highest(topic, from, source, never)
  expect(await highest([0, 0, 0, 0])).toEqual([Buffer.of(3), Buffer.of(4), undefined, undefined])
  expect(await highest([0, 0, 0, 0], 'other/s')).toEqual([undefined, Buffer.of(9), undefined, undefined])
  expect(await highest(ends)).toEqual([undefined, undefined, undefined, undefined])
  expect(await highest([0, 4, 0, 0])).toEqual([Buffer.of(3), undefined, undefined, undefined])
})

it('does not miss what retention has removed', async () => {
  const topic = await makeTopic(brokers, 1)
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  await using target = targetFor(brokers)
  await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
  for (const n of [1, 2, 3, 4]) await sink.send(packRecords([own(topic, 0, n)]), never)
  const admin = client.admin()
  await admin.connect()
  await admin.fetchTopicOffsets(topic) // Else kafkajs knows no leader to delete from.
  await using reader = new PartitionReader({ settings: { brokers, clientId: 'test' }, clock: systemClock })
  const tails = new Tails(reader, true)
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] })
  expect(await tails.highest(topic, [0], 's', never)).toEqual([Buffer.of(4)])
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
  expect(await tails.highest(topic, [0], 's', never)).toEqual([undefined])
  expect(await tails.ends(topic, 1, never)).toEqual([4])
  await admin.disconnect()
})

it('without headers reads positions from values, and takes nothing from null values', async () => {
  await using proxy = await KafkaProxy.open({ brokers, refused: transactionApis, versions: oldVersions })
  const topic = await makeTopic(brokers, 3)
  await using target = targetFor(proxy.brokers)
  await target.check(never)
  await using sink = await target.open({ pipeline: 'p', transactionalId: undefined, transactions: false }, never)
  const woven = (partition: number, n: number, source = 's') => {
    const { headers, ...record } = own(topic, partition, n, source)
    return { ...record, headers: {}, value: wovenValue({ headers, value: Buffer.from('{"a":1}') }) }
  }
  const foreign = { ...woven(0, 0), value: Buffer.from('{"m2k":"of somebody else"}') }
  const tombstone = { ...woven(0, 0), value: null }
  const inHeaders = { ...own(topic, 0, 9) }
  await sink.send(packRecords([woven(0, 3), foreign, woven(0, 4), tombstone, woven(0, 8, 'other'), inHeaders]), never)
  await sink.send(packRecords([{ ...tombstone, partition: 1 }, woven(2, 1)]), never)

  await using reader = new PartitionReader({
    settings: { brokers: proxy.brokers, clientId: 'test' },
    clock: systemClock,
  })
  const tails = new Tails(reader, false)
  expect(await tails.highest(topic, [0, 0, 0], 's', never)).toEqual([Buffer.of(4), undefined, Buffer.of(1)])
  expect(await tails.highest(topic, [3, 0, 1], 's', never)).toEqual([undefined, undefined, undefined])
})

it('gives up all partitions with the first that fails, and tells of it when all have ended', async () => {
  let reading = 0
  const tails = new Tails(
    {
      async offset(_topic, partition, _at, signal) {
        reading += 1
        try {
          if (partition === 1) throw new Error('no right to it')
          await new Promise((_, reject) =>
            signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
          )
          return 0n
        } finally {
          reading -= 1
        }
      },
      async *readPartition() {},
    },
    true,
  )
  await expect(tails.ends('t', 100, never)).rejects.toThrow('no right to it')
  expect(reading).toBe(0)
  const stop = new AbortController()
  stop.abort(new Error('stopping'))
  await expect(tails.ends('t', 1, stop.signal)).rejects.toThrow('stopping')
})
