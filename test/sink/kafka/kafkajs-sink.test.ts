import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PoisonEvent, Retryable } from '../../../src/errors.ts'
import type { Meter } from '../../../src/meter.ts'
import { silentMeter } from '../../../src/meter.ts'
import type { OutRecord } from '../../../src/record.ts'
import { packRecords } from '../../../src/record-headers.ts'
import type { PartitionProducer } from '../../../src/sink/kafka/kafkajs/partition-producer.ts'
import { KafkajsSink, type KafkajsSinkParts } from '../../../src/sink/kafka/kafkajs-sink.ts'
import { Pacing } from '../../../src/sink/kafka/pacing.ts'
import { TopicLimits } from '../../../src/sink/kafka/topic-limits.ts'
import { never, record, spec } from './fixture.ts'

interface Attempt {
  readonly topic: string
  readonly partition: number
  readonly values: readonly string[]
  readonly outcome: PromiseWithResolvers<void>
}

/** Answers when the test says so. What is acknowledged is in `log`. */
class ManualProducer implements PartitionProducer {
  readonly open: Attempt[] = []
  readonly log = new Map<string, string[]>()
  exchanges: PromiseWithResolvers<void>[] = []
  closed = false

  async send(topic: string, partition: number, records: readonly OutRecord[]): Promise<void> {
    // Exactly one send of a partition, and none while the producer is exchanged: what the real one relies on.
    expect(this.open.some(other => other.topic === topic && other.partition === partition)).toBe(false)
    expect(this.exchanges).toEqual([])
    const values = records.map(({ value }) => String(value))
    const attempt = { topic, partition, values, outcome: Promise.withResolvers<void>() }
    this.open.push(attempt)
    await attempt.outcome.promise
  }

  exchange(): Promise<void> {
    expect(this.open).toEqual([])
    const outcome = Promise.withResolvers<void>()
    this.exchanges.push(outcome)
    return outcome.promise
  }

  async close(): Promise<void> {
    this.closed = true
    for (const attempt of this.open.splice(0)) attempt.outcome.reject(new Error('cut'))
    for (const exchange of this.exchanges.splice(0)) exchange.reject(new Error('cut'))
  }

  acknowledge(attempt: Attempt | undefined): void {
    if (attempt === undefined) throw new Error('nothing is outstanding')
    this.open.splice(this.open.indexOf(attempt), 1)
    const key = `${attempt.topic}/${attempt.partition}`
    this.log.set(key, [...(this.log.get(key) ?? []), ...attempt.values])
    attempt.outcome.resolve()
  }

  refuse(attempt: Attempt | undefined, error: unknown): void {
    if (attempt === undefined) throw new Error('nothing is outstanding')
    this.open.splice(this.open.indexOf(attempt), 1)
    attempt.outcome.reject(error)
  }

  exchanged(): void {
    for (const exchange of this.exchanges.splice(0)) exchange.resolve()
  }
}

function sinkOver(producer: PartitionProducer, parts: Partial<KafkajsSinkParts> = {}): KafkajsSink {
  return new KafkajsSink({
    pipeline: 'p',
    capabilities: { headers: true, idempotence: true, transactions: false },
    producer,
    settings: { queueLimitBytes: 1 << 20, recordsPerProducer: 2 ** 30 },
    limits: new TopicLimits(1 << 20),
    countPartitions: async () => 4,
    meter: silentMeter,
    ...parts,
  })
}

/** Until everything that can happen without an answer has happened. */
const idle = () => new Promise(resolve => setImmediate(resolve))

const stateOf = async (promise: Promise<void>): Promise<string> => {
  let state = 'open'
  promise.then(
    () => (state = 'resolved'),
    () => (state = 'rejected'),
  )
  await idle()
  return state
}

const tooLarge = Object.assign(new Error('too large'), { name: 'KafkaJSProtocolError', code: 10 })
const invalid = Object.assign(new Error('no'), { name: 'KafkaJSProtocolError', code: 87 })
const gone = Object.assign(new Error('gone'), { name: 'KafkaJSConnectionError' })

describe('a sink over kafkajs', () => {
  it('keeps the order of each partition with one send outstanding there, whatever the answers and their order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(3), { minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 12 }),
        fc.scheduler(),
        fc.constantFrom(1, 25, 2 ** 30),
        async (calls, scheduler, recordsPerProducer) => {
          const producer = new ManualProducer()
          const sink = sinkOver(producer, { settings: { queueLimitBytes: 1 << 20, recordsPerProducer } })
          let n = 0
          const expected = new Map<string, string[]>()
          const sent = calls.map(partitions => {
            const records = partitions.map(partition => record('t', partition, `${n++}`))
            for (const { partition, value } of records) {
              expected.set(`t/${partition}`, [...(expected.get(`t/${partition}`) ?? []), String(value)])
            }
            return sink.send(packRecords(records), never)
          })
          const all = Promise.all(sent)
          while ((await stateOf(all.then(() => {}))) === 'open') {
            for (const attempt of [...producer.open]) {
              void scheduler.schedule(Promise.resolve()).then(() => producer.acknowledge(attempt))
            }
            await scheduler.waitAll()
            producer.exchanged()
          }
          await all
          expect(producer.log).toEqual(expected)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('sends to several partitions at once, and everything that came meanwhile with the next send of a partition', async () => {
    const producer = new ManualProducer()
    const sink = sinkOver(producer)
    const first = sink.send(packRecords([record('t', 0, 'a'), record('t', 1, 'b')]), never)
    const second = sink.send(packRecords([record('t', 0, 'c')]), never)
    const third = sink.send(packRecords([record('t', 0, 'd'), record('t', 0, 'e')]), never)
    expect(producer.open.map(({ values }) => values)).toEqual([['a'], ['b']])
    producer.acknowledge(producer.open[0])
    expect(await stateOf(first)).toBe('open')
    expect(producer.open.map(({ values }) => values)).toEqual([['b'], ['c', 'd', 'e']])
    producer.acknowledge(producer.open[0])
    await first
    expect(await stateOf(second)).toBe('open')
    producer.acknowledge(producer.open[0])
    await Promise.all([second, third])
  })

  it('takes what it needs before it returns', async () => {
    const producer = new ManualProducer()
    const sink = sinkOver(producer)
    const records = packRecords([record('t', 0, 'first')])
    const sent = [sink.send(records, never), sink.send(records, never)]
    records.bytes.fill(0)
    while (producer.open.length > 0) {
      producer.acknowledge(producer.open[0])
      await idle()
    }
    await Promise.all(sent)
    expect(producer.log.get('t/0')).toEqual(['first', 'first'])
  })

  it('ends at the first failure, and says so when nothing is outstanding any more', async () => {
    const producer = new ManualProducer()
    const errors: unknown[] = []
    const meter: Meter = { ...silentMeter, count: (...args) => void errors.push(args) }
    const sink = sinkOver(producer, { meter })
    const failing = sink.send(packRecords([record('t', 0, 'a'), record('t', 0, 'b')]), never)
    const other = sink.send(packRecords([record('t', 1, 'x')]), never)
    const queued = sink.send(packRecords([record('t', 1, 'y'), record('t', 0, 'c')]), never)
    producer.refuse(producer.open[0], gone)
    expect(await stateOf(failing)).toBe('open')
    const late = sink.send(packRecords([record('t', 2, 'z')]), never)
    expect(await stateOf(late)).toBe('open')
    expect(producer.open.map(({ values }) => values)).toEqual([['x']])
    producer.acknowledge(producer.open[0])
    await other
    for (const call of [failing, queued, late]) {
      await expect(call).rejects.toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
    }
    expect(producer.open).toEqual([])
    expect(errors).toEqual([['sink_errors_total', { pipeline: 'p', code: 'SINK_UNAVAILABLE' }]])
  })

  it('ends at an abort: what is queued is not sent, and nothing can overtake it', async () => {
    const producer = new ManualProducer()
    const sink = sinkOver(producer)
    const first = sink.send(packRecords([record('t', 0, 'on the wire')]), never)
    const stop = new AbortController()
    const cancelled = sink.send(packRecords([record('t', 0, 'cancelled')]), stop.signal)
    const behind = sink.send(packRecords([record('t', 0, 'behind it')]), never)
    stop.abort(new Error('stopping'))
    expect(await stateOf(cancelled)).toBe('open')
    producer.acknowledge(producer.open[0])
    await first
    await expect(cancelled).rejects.toThrow('stopping')
    await expect(behind).rejects.toThrow('stopping')
    expect(producer.open).toEqual([])
    const aborted = sinkOver(producer)
    await expect(aborted.send(packRecords([record('t', 0, 'x')]), AbortSignal.abort(new Error('no')))).rejects.toThrow(
      'no',
    )
    await expect(aborted.send(packRecords([record('t', 0, 'y')]), never)).rejects.toThrow('no')
  })

  it('names the one record that is too large, and otherwise asks for smaller batches', async () => {
    const producer = new ManualProducer()
    const limits = new TopicLimits(1 << 20)
    const one = sinkOver(producer, { limits }).send(packRecords([record('t', 0, 'x'.repeat(5_000))]), never)
    producer.refuse(producer.open[0], tooLarge)
    const poison = await one.catch((error: unknown) => error)
    expect(poison).toBeInstanceOf(PoisonEvent)
    expect(String(poison)).toMatch(/topic t, partition 0, key of 1 bytes: a record of 50\d\d bytes/)
    expect(poison).toMatchObject({ record: { topic: 't', partition: 0, keyBytes: 1, position: undefined } })
    const before = limits.get('t')
    const two = sinkOver(producer, { limits }).send(packRecords([record('t', 0, 'a'), record('t', 0, 'b')]), never)
    producer.refuse(producer.open[0], tooLarge)
    await expect(two).rejects.toBeInstanceOf(Retryable)
    expect(limits.get('t')).toBeLessThan(before)
    const replay = sinkOver(producer, { limits }).send(packRecords([record('t', 0, 'a'), record('t', 0, 'b')]), never)
    expect(producer.open.map(({ values }) => values)).toEqual([['a']])
    producer.acknowledge(producer.open[0])
    await idle()
    producer.acknowledge(producer.open[0])
    await replay
  })

  it('finds the one record that the broker refuses without naming it, and then fills its batches as before', async () => {
    const producer = new ManualProducer()
    const limits = new TopicLimits(1 << 20)
    const before = limits.get('t')
    const two = () => packRecords([record('t', 0, 'a'), record('t', 0, 'b', 'key')])
    const first = sinkOver(producer, { limits }).send(two(), never)
    producer.refuse(producer.open[0], invalid)
    await expect(first).rejects.toMatchObject({ name: 'Retryable', message: expect.stringContaining('smaller ones') })
    const second = sinkOver(producer, { limits }).send(two(), never)
    producer.acknowledge(producer.open[0])
    await idle()
    expect(producer.open.map(({ values }) => values)).toEqual([['b']])
    producer.refuse(producer.open[0], invalid)
    const name = 'PoisonEvent'
    await expect(second).rejects.toMatchObject({ name, code: 'SINK_RECORD_INVALID', record: { keyBytes: 3 } })
    expect(limits.get('t')).toBe(before)
  })

  it('has its producer exchanged when none of its sends is outstanding, before sequence numbers run out', async () => {
    const producer = new ManualProducer()
    const sink = sinkOver(producer, { settings: { queueLimitBytes: 1 << 20, recordsPerProducer: 2_001 } })
    const two = (partition: number) => packRecords([record('t', partition, 'a'), record('t', partition, 'b')])
    const calls = [sink.send(two(0), never), sink.send(two(1), never), sink.send(two(0), never)]
    producer.acknowledge(producer.open[0])
    await idle()
    expect(producer.exchanges).toHaveLength(0)
    expect(producer.open.map(({ partition }) => partition)).toEqual([1])
    calls.push(sink.send(two(3), never))
    producer.acknowledge(producer.open[0])
    await idle()
    expect(producer.exchanges).toHaveLength(1)
    expect(producer.open).toEqual([])
    producer.exchanged()
    await idle()
    expect(producer.open.map(({ partition }) => partition)).toEqual([0, 3])
    for (const attempt of [...producer.open]) producer.acknowledge(attempt)
    await Promise.all(calls)
    const last = sink.send(two(3), never)
    expect(producer.exchanges).toHaveLength(1)
    const ended = expect(last).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await sink[Symbol.asyncDispose]()
    await ended
  })

  it('refuses what is more than its queue may hold', async () => {
    const producer = new ManualProducer()
    const sink = sinkOver(producer, { settings: { queueLimitBytes: 1_000, recordsPerProducer: 2 ** 30 } })
    const first = sink.send(packRecords([record('t', 0, 'x'.repeat(2_000))]), never)
    const refused = sink.send(packRecords([record('t', 0, 'y')]), never)
    producer.acknowledge(producer.open[0])
    await first
    await expect(refused).rejects.toMatchObject({ name: 'Configuration', code: 'INTERNAL' })
  })

  it('leaves it to the target to know the partitions of a topic: another sink may have found it changed', async () => {
    const counts = [7, 8]
    const sink = sinkOver(new ManualProducer(), { countPartitions: async () => counts.shift() ?? 0 })
    expect(await sink.partitions('t', spec(7), never)).toBe(7)
    expect(await sink.partitions('t', spec(7), never)).toBe(8)
  })

  it('closes its producer when it is disposed, which ends what is outstanding', async () => {
    const producer = new ManualProducer()
    const sink = sinkOver(producer)
    const sent = expect(sink.send(packRecords([record('t', 0, 'a')]), never)).rejects.toThrow('the sink was closed')
    await sink[Symbol.asyncDispose]()
    await sent
    expect(producer.closed).toBe(true)
    await expect(sink.send(packRecords([]), never)).rejects.toBeInstanceOf(Retryable)
  })

  it('waits for the turn of each batch, and sends nothing whose turn has not come when it ends', async () => {
    const producer = new ManualProducer()
    const turns: { readonly bytes: number; readonly outcome: PromiseWithResolvers<number> }[] = []
    const seconds: number[] = []
    const meter = { ...silentMeter, count: (_: string, __: object, by = 1) => void seconds.push(by) }
    class ManualPacing extends Pacing {
      override turn(_: string, __: number, bytes: number, signal: AbortSignal): Promise<number> {
        const outcome = Promise.withResolvers<number>()
        signal.addEventListener('abort', () => outcome.reject(signal.reason))
        turns.push({ bytes, outcome })
        return outcome.promise
      }
    }
    const pacing = new ManualPacing(1, { nowMs: () => 0, sleep: async () => {} })
    const sink = sinkOver(producer, { pacing, meter })
    const first = sink.send(packRecords([record('t', 0, 'a')]), never)
    expect(turns[0]?.bytes).toBeGreaterThan(70)
    expect(producer.open).toEqual([])
    turns[0]?.outcome.resolve(1_500)
    await idle()
    expect(seconds).toEqual([1.5])
    producer.acknowledge(producer.open[0])
    await first
    const second = expect(sink.send(packRecords([record('t', 0, 'b')]), never)).rejects.toThrow('the sink was closed')
    await sink[Symbol.asyncDispose]()
    await second
    expect(turns).toHaveLength(2)
    expect(producer.log.get('t/0')).toEqual(['a'])
  })
})
