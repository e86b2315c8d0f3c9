import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Retryable } from '../../../src/errors.ts'
import type { OutRecord } from '../../../src/record.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { startBroker } from '../../../src/services/broker.ts'
import type { Broker } from '../../../src/services/services.ts'
import type { Sink } from '../../../src/sink/sink.ts'
import { options, soonBack } from '../../services/servers.ts'
import { freshTopic, never, plain, readTopic, record, spec, targetFor } from './fixture.ts'

const partitions = 4
const callRecords = 40
let broker: Broker

beforeAll(async () => {
  broker = await startBroker({ ...options(), properties: soonBack })
})
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]()
})
/** A test that failed may have left it dead or frozen. */
beforeEach(async () => {
  broker.thaw()
  if (!broker.running) await broker.start(never)
})

/**
 * With times of today: a broker that restarts forgets producers whose last record is older than a day, by the record's
 * own time (producer.id.expiration.ms), and takes what they repeat for new.
 */
function callOf(topic: string, call: number): OutRecord[] {
  return Array.from({ length: callRecords }, (_, i) => {
    const n = call * callRecords + i
    return { ...record(topic, n % partitions, String(n).padEnd(200, '.')), timestampMs: Date.now() }
  })
}

async function numbersByPartition(topic: string): Promise<number[][]> {
  const read = await readTopic(broker.brokers, topic)
  return Array.from({ length: partitions }, (_, partition) =>
    read.filter(r => r.partition === partition).map(r => Number.parseInt(r.value ?? '', 10)),
  )
}

/** Sends calls from `from` on, several of them at a time, until `stop` aborts or the sink fails. */
async function load(sink: Sink, topic: string, from: number, stop: AbortSignal, onAnswer = () => {}) {
  let next = from
  const acknowledged = new Set<number>()
  const errors: unknown[] = []
  const worker = async () => {
    while (!stop.aborted && errors.length === 0) {
      const call = next
      next += 1
      await sink.send(packRecords(callOf(topic, call)), never).then(
        () => acknowledged.add(call),
        (error: unknown) => errors.push(error),
      )
      onAnswer()
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  let durable = from // Calls before this one are acknowledged: what a checkpoint would say.
  while (acknowledged.has(durable)) durable += 1
  return { sent: next, durable, acknowledged: acknowledged.size, errors }
}

/** Again where a broker that has just come back, or that gets no processor, does not answer in time. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Retryable)) throw error
      await systemClock.sleep(250)
    }
  }
}

describe.each(['platformatic', 'kafkajs'] as const)(
  'a sink over %s whose broker fails',
  { timeout: 900_000 },
  client => {
    it('loses nothing and repeats nothing while it outlives a broker that is killed and restarted under load', async () => {
      await using target = targetFor(broker.brokers, { deliveryTimeoutMs: 600_000 }, client)
      await using sink = await target.open(plain('p'), never)
      const topic = freshTopic('killed')
      await sink.partitions(topic, spec(partitions), never)
      const stop = new AbortController()
      let answers = 0
      const loading = load(sink, topic, 0, stop.signal, () => {
        answers += 1
      })
      let isOver = false
      const over = loading.finally(() => {
        isOver = true
      })
      const progress = async () => {
        for (const enough = answers + 100; answers < enough && !isOver; ) await systemClock.sleep(20)
      }
      for (let kill = 0; kill < 2; kill += 1) {
        await progress()
        await broker.kill()
        await broker.start(never)
      }
      await progress()
      stop.abort()
      await over
      const { sent, acknowledged, errors } = await loading
      expect(errors).toEqual([])
      expect(acknowledged).toBe(sent)
      for (const [partition, numbers] of (await numbersByPartition(topic)).entries()) {
        const expected = Array.from({ length: (sent * callRecords) / partitions }, (_, i) => i * partitions + partition)
        expect(numbers).toEqual(expected)
      }
    })

    it('reports a broker that stays frozen, and the replay repeats a suffix only', async () => {
      await using target = targetFor(broker.brokers, { deliveryTimeoutMs: 2_000 }, client)
      await using patient = targetFor(broker.brokers, { deliveryTimeoutMs: 120_000 }, client)
      const topic = freshTopic('frozen')
      const stop = new AbortController()
      let [durable, end] = [0, 0]
      {
        await using first = await patient.open(plain('p'), never)
        await first.partitions(topic, spec(partitions), never)
        await Promise.all(Array.from({ length: 50 }, (_, call) => first.send(packRecords(callOf(topic, call)), never)))
        await using sink = await patiently(() => target.open(plain('p'), never))
        const loading = load(sink, topic, 50, stop.signal)
        broker.freeze()
        const outcome = await loading
        expect(outcome.errors.length).toBeGreaterThan(0)
        for (const error of outcome.errors) {
          expect(error).toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
        }
        durable = outcome.durable
        end = outcome.sent
        await expect(sink.send(packRecords(callOf(topic, 0)), never)).rejects.toMatchObject({
          code: 'SINK_UNAVAILABLE',
        })
      }
      broker.thaw()
      await using sink = await patiently(() => patient.open(plain('p'), never))
      const calls = durable + 50
      for (let call = durable; call < calls; call += 1) await sink.send(packRecords(callOf(topic, call)), never)
      for (const [partition, numbers] of (await numbersByPartition(topic)).entries()) {
        const firstSeen = numbers.filter((n, at) => numbers.indexOf(n) === at)
        const expected = Array.from(
          { length: (calls * callRecords) / partitions },
          (_, i) => i * partitions + partition,
        )
        expect(firstSeen).toEqual(expected)
        // What was sent and not acknowledged may stand there twice: from the replay, and from the old producer, whose
        // requests the thawed broker finds in its socket, one after the other, while the replay is under way. Without a
        // fence that cannot be helped.
        const repeated = numbers.filter((n, at) => numbers.indexOf(n) !== at)
        expect(new Set(repeated).size).toBe(repeated.length)
        for (const n of repeated) {
          expect(n).toBeGreaterThanOrEqual(durable * callRecords)
          expect(n).toBeLessThan(end * callRecords)
        }
      }
    })

    it('is disposed in bounded time with a send under way, and nothing of it is sent later', async () => {
      await using target = targetFor(broker.brokers, {}, client)
      const topic = freshTopic('disposed')
      const sink = await target.open(plain('p'), never)
      await sink.partitions(topic, spec(partitions), never)
      await broker.kill()
      const sent = sink.send(packRecords(callOf(topic, 0)), never)
      const rejected = expect(sent).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
      await sink[Symbol.asyncDispose]()
      await rejected
      await broker.start(never)
      await patiently(() => target.check(never))
      expect(await readTopic(broker.brokers, topic)).toEqual([])
    })
  },
)
