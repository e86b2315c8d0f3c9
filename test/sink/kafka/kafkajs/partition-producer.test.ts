import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { silentLogger } from '../../../../src/log.ts'
import { startBroker } from '../../../../src/services/broker.ts'
import type { Broker } from '../../../../src/services/services.ts'
import { withAdmin } from '../../../../src/sink/kafka/admin.ts'
import { KafkajsProducer } from '../../../../src/sink/kafka/kafkajs/partition-producer.ts'
import { defaultProducerSettings, type ProducerSettings } from '../../../../src/sink/kafka/settings.ts'
import { options, soonBack } from '../../../services/servers.ts'
import { createTopic } from '../create-topic.ts'
import { freshTopic, never, readTopic, record, settingsFor } from '../fixture.ts'

let broker: Broker
beforeAll(async () => {
  broker = await startBroker({ ...options(), properties: soonBack })
})
afterAll(() => broker?.[Symbol.asyncDispose]())
/** A test that failed may have left it dead. */
beforeEach(async () => {
  if (!broker.running) await broker.start(never)
})

async function create(topic: string, numPartitions: number): Promise<void> {
  const options = { settings: settingsFor(broker.brokers), log: silentLogger, clock: systemClock }
  await withAdmin(options, never, admin => createTopic(admin, { topic, numPartitions }))
}

function open(
  producer: Partial<ProducerSettings> = {},
  onRetry = () => {},
  idempotent = true,
  log = silentLogger,
): Promise<KafkajsProducer> {
  const settings = settingsFor(broker.brokers)
  const options = { settings, idempotent, log, clock: systemClock, onRetry }
  return KafkajsProducer.open({ ...options, producer: { ...defaultProducerSettings, ...producer } }, never)
}

/** A broker that restarts forgets producers whose last record is older than a day, by the record's own time. */
const today = (topic: string, partition: number, n: number) => ({
  ...record(topic, partition, `${n}`),
  timestampMs: Date.now(),
})

const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)

describe('a producer over kafkajs', { timeout: 900_000 }, () => {
  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('sends with %s what is read again', async compression => {
    const topic = freshTopic(compression)
    await create(topic, 1)
    const producer = await open({ compression })
    const text = 'the same again and again '.repeat(20)
    const records = numbers(0, 300).map(n => record(topic, 0, n % 10 === 0 ? null : `${n} ${text}`))
    await producer.send(topic, 0, records)
    await producer.close()
    // kafkajs reads only what it can decompress by itself; the broker has read all of it, or it would have refused it.
    if (compression !== 'none' && compression !== 'gzip') {
      const options = { settings: settingsFor(broker.brokers), log: silentLogger, clock: systemClock }
      const [end] = await withAdmin(options, never, admin => admin.fetchTopicOffsets(topic))
      expect(end?.high).toBe('300')
      return
    }
    const read = await readTopic(broker.brokers, topic)
    expect(read.map(({ value }) => value)).toEqual(records.map(({ value }) => value?.toString() ?? null))
  })

  it('repeats what was under way when the broker was killed as it was: once in the topic, in order', async () => {
    const topic = freshTopic('repeated')
    await create(topic, 6)
    let troubles = 0
    const trouble = () => {
      troubles += 1
    }
    // Most of them kafkajs deals with itself, and says so; some are left to us.
    const log = { ...silentLogger, warn: trouble, error: trouble }
    // Longer than a broker takes to start on a machine that is busy with other things.
    const producer = await open({ deliveryTimeoutMs: 600_000 }, trouble, true, log)
    const sent = [0, 0, 0, 0, 0, 0]
    const stop = new AbortController()
    const lane = async (partition: number) => {
      while (!stop.signal.aborted) {
        const batch = numbers(sent[partition]!, 1 + (sent[partition]! % 7))
        await producer.send(
          topic,
          partition,
          batch.map(n => today(topic, partition, n)),
        )
        sent[partition]! += batch.length
      }
    }
    const lanes = Promise.all(sent.keys().map(lane))
    const progress = async () => {
      const before = [...sent]
      while (sent.some((count, i) => count === before[i])) await systemClock.sleep(20)
    }
    for (let kill = 0; kill < 3; kill++) {
      await progress()
      await broker.kill()
      await broker.start(never)
    }
    await progress()
    stop.abort()
    await lanes
    await producer.close()
    const read = await readTopic(broker.brokers, topic)
    for (const [partition, count] of sent.entries()) {
      expect(read.filter(r => r.partition === partition).map(r => Number(r.value))).toEqual(numbers(0, count))
    }
    expect(troubles, 'no kill met a batch on its way: the run proves nothing').toBeGreaterThan(0)
  })

  it('goes on with a new producer id after an exchange', async () => {
    const topic = freshTopic('exchanged')
    await create(topic, 1)
    const producer = await open()
    for (let n = 0; n < 3; n++) {
      await producer.send(topic, 0, [record(topic, 0, `${2 * n}`), record(topic, 0, `${2 * n + 1}`)])
      await producer.exchange()
    }
    await producer.close()
    const read = await readTopic(broker.brokers, topic)
    expect(read.map(({ value }) => Number(value))).toEqual(numbers(0, 6))
  })

  it('without producer ids sends once, and leaves a failure to its caller', async () => {
    const topic = freshTopic('once')
    await create(topic, 1)
    let retries = 0
    const count = () => (retries += 1)
    const patient = await open({}, count, false)
    const hasty = await open({ deliveryTimeoutMs: 500 }, count, false)
    await patient.send(topic, 0, [record(topic, 0, '0'), record(topic, 0, '1')])
    await broker.kill()
    await expect(hasty.send(topic, 0, [record(topic, 0, '2')])).rejects.toThrow()
    expect(retries).toBe(0)
    await broker.start(never)
    await Promise.all([patient.close(), hasty.close()])
    expect((await readTopic(broker.brokers, topic)).map(({ value }) => value)).toEqual(['0', '1'])
  })

  it('gives a send up after its time, and writes nothing any more', async () => {
    const topic = freshTopic('late')
    await create(topic, 1)
    const producer = await open({ deliveryTimeoutMs: 500 })
    await broker.kill()
    const late = producer.send(topic, 0, [record(topic, 0, 'late')])
    await expect(late).rejects.toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
    await broker.start(never)
    await expect(producer.send(topic, 0, [record(topic, 0, 'later')])).rejects.toThrow()
    await producer.close()
    expect(await readTopic(broker.brokers, topic)).toEqual([])
  })
})
