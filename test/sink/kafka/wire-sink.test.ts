import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { PoisonEvent, Retryable } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/log.ts'
import { silentMeter } from '../../../src/meter.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { startBroker } from '../../../src/services/broker.ts'
import type { Broker } from '../../../src/services/services.ts'
import { Coordinators } from '../../../src/sink/kafka/producer/coordinators.ts'
import { Dispatcher } from '../../../src/sink/kafka/producer/dispatcher.ts'
import { PartitionQueue } from '../../../src/sink/kafka/producer/partition-queue.ts'
import { Producer } from '../../../src/sink/kafka/producer/producer.ts'
import { BufferPool } from '../../../src/sink/kafka/record-batch/buffer-pool.ts'
import type { Compression } from '../../../src/sink/kafka/record-batch/compression.ts'
import { TopicLimits } from '../../../src/sink/kafka/topic-limits.ts'
import type { Wire } from '../../../src/sink/kafka/wire.ts'
import { openWireSink, type WireSinkParts } from '../../../src/sink/kafka/wire-sink.ts'
import { never, plain, readTopic, record, spec } from './fixture.ts'
import { unavailable } from './producer/model-faults.ts'
import { VirtualTime } from './producer/virtual-time.ts'
import { identityOf, makeTopic, wireFor } from './wire-fixture.ts'
import { looked, sinksOver } from './wire-sinks.ts'

const partitions = 4
const batchBytes = 8 << 10
let broker: Broker
let wire: Wire
let dispatcher: Dispatcher
let coordinators: Coordinators

beforeAll(async () => {
  broker = await startBroker({ env: process.env, signal: never })
  wire = wireFor(broker.brokers)
  const settings = { lingerMs: 5, requestBytes: 2 * batchBytes }
  dispatcher = new Dispatcher({ wire, settings, clock: systemClock, log: silentLogger })
  coordinators = new Coordinators({ wire, clock: systemClock })
})
afterAll(async () => {
  coordinators[Symbol.dispose]()
  dispatcher[Symbol.dispose]()
  await wire[Symbol.asyncDispose]()
  await broker[Symbol.asyncDispose]()
})

function partsFor(compression: Compression, limits = new TopicLimits(batchBytes)): WireSinkParts {
  return {
    capabilities: { headers: true, idempotence: true, transactions: true },
    wire,
    dispatcher,
    coordinators,
    transactionTimeoutMs: 10_000,
    buffers: new BufferPool(),
    limits,
    settings: { compression, queueLimitBytes: 64 << 20, deliveryTimeoutMs: 60_000 },
    countPartitions: async () => partitions,
    clock: systemClock,
    meter: silentMeter,
  }
}

/** Records `from` to `to`, over all partitions in turn. */
function numbered(topic: string, from: number, to: number) {
  const places = Array.from({ length: to - from }, (_, i) => from + i)
  const timestampMs = Date.now() // Records of today: of old ones only one batch would be on the way.
  return packRecords(
    places.map(n => ({ ...record(topic, n % partitions, String(n).padEnd(100, '.'), `key ${n}`), timestampMs })),
  )
}

async function numbersByPartition(topic: string): Promise<number[][]> {
  const read = await readTopic(broker.brokers, topic)
  return Array.from({ length: partitions }, (_, partition) =>
    read.filter(r => r.partition === partition).map(r => Number.parseInt(r.value ?? '', 10)),
  )
}

function expectedNumbers(from: number, to: number): number[][] {
  const all = Array.from({ length: to - from }, (_, i) => from + i)
  return Array.from({ length: partitions }, (_, partition) => all.filter(n => n % partitions === partition))
}

describe('a sink of our own record batches, against a real broker', () => {
  it.each(['none', 'gzip'] as const)('keeps every record in order, compression %s', async compression => {
    await using sink = await openWireSink(partsFor(compression), plain('p'), never)
    const topic = await makeTopic(broker.brokers, partitions)
    expect(await sink.partitions(topic, spec(partitions), never)).toBe(partitions)
    // Far more than five batches a partition: they queue, several are on the way at a time.
    const sending = Array.from({ length: 20 }, (_, call) =>
      sink.send(numbered(topic, call * 200, call * 200 + 200), never),
    )
    await Promise.all(sending)
    await sink.send(numbered(topic, 4_000, 4_001), never)
    expect(await numbersByPartition(topic)).toEqual(expectedNumbers(0, 4_001))
  })

  it('lets two sinks write to the same partitions, each in its order', async () => {
    await using one = await openWireSink(partsFor('none'), plain('p'), never)
    await using other = await openWireSink(partsFor('none'), plain('p'), never)
    const topic = await makeTopic(broker.brokers, partitions)
    const sending: Promise<void>[] = []
    for (let from = 0; from < 2_000; from += 100) {
      sending.push(one.send(numbered(topic, from, from + 100), never))
      sending.push(other.send(numbered(topic, 10_000 + from, 10_000 + from + 100), never))
    }
    await Promise.all(sending)
    const written = await numbersByPartition(topic)
    expect(written.map(numbers => numbers.filter(n => n < 10_000))).toEqual(expectedNumbers(0, 2_000))
    expect(written.map(numbers => numbers.filter(n => n >= 10_000))).toEqual(expectedNumbers(10_000, 12_000))
  })

  it('goes on with 0 after sequence number 2^31 - 1', async () => {
    const { compression, ...settings } = partsFor('none').settings
    await using producer = new Producer({
      ...partsFor(compression),
      pipeline: 'p',
      settings: { compression, ...settings },
      identity: await identityOf(wire),
      createQueue: () => new PartitionQueue(0x7fffffff - 60),
    })
    const topic = await makeTopic(broker.brokers, partitions)
    for (let from = 0; from < 1_000; from += 100) await producer.send(numbered(topic, from, from + 100), never)
    expect(await numbersByPartition(topic)).toEqual(expectedNumbers(0, 1_000))
  })

  it('names the record that is larger than the topic takes, and makes batches smaller that were refused', async () => {
    const limits = new TopicLimits(batchBytes)
    const topic = await makeTopic(broker.brokers, partitions, { 'max.message.bytes': '4000' })
    {
      await using sink = await openWireSink(partsFor('none', limits), plain('p'), never)
      const refused = await sink.send(numbered(topic, 0, 400), never).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(Retryable)
      expect(await sink.send(numbered(topic, 400, 401), never).catch((error: unknown) => error)).toBe(refused)
    }
    expect(limits.get(topic)).toBeLessThan(4_000)
    await using sink = await openWireSink(partsFor('none', limits), plain('p'), never)
    await sink.send(numbered(topic, 0, 400), never)
    const large = packRecords([record(topic, 1, 'x'.repeat(5_000))])
    const poison = await sink.send(large, never).catch((error: unknown) => error)
    expect(poison).toBeInstanceOf(PoisonEvent)
    expect(String(poison)).toMatch(
      /topic wire-.*, partition 1, key of 1 bytes: a record of 50\d\d bytes is larger than the topic takes/,
    )
    expect(await numbersByPartition(topic)).toEqual(expectedNumbers(0, 400))
  })
})

it('a sink that gets no epoch says why', async () => {
  const time = new VirtualTime(1)
  const refusing = {
    findCoordinator: () => Promise.reject(unavailable('sink.sasl.passwordFile: /run/password is empty')),
    [Symbol.asyncDispose]: async () => undefined,
  }
  await using sinks = sinksOver(refusing as unknown as Wire, 10_000, time)
  const opening = looked(sinks.open('deployment.p.0'))
  let over = false
  opening.catch(() => (over = true))
  await time.run(() => over)
  await expect(opening).rejects.toThrow(
    /^Kafka gave no epoch for deployment\.p\.0 in 30000 ms: .*sink\.sasl\.passwordFile: \/run\/password is empty/,
  )
})
