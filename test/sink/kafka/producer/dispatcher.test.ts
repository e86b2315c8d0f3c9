import { expect, test } from 'vitest'
import { PoisonEvent, Retryable } from '../../../../src/errors.ts'
import { silentLogger } from '../../../../src/log.ts'
import type { CounterName, Meter } from '../../../../src/meter.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { Dispatcher } from '../../../../src/sink/kafka/producer/dispatcher.ts'
import { Producer } from '../../../../src/sink/kafka/producer/producer.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { TopicLimits } from '../../../../src/sink/kafka/topic-limits.ts'
import { ModelCluster } from './model-cluster.ts'
import { requestTimeoutMs } from './model-faults.ts'
import { VirtualTime } from './virtual-time.ts'

const never = new AbortController().signal
const deliveryTimeoutMs = 10_000

/** A cluster of two brokers in virtual time: broker 0 leads the partitions 0 and 2, broker 1 partition 1. */
class Stage {
  readonly time = new VirtualTime(7)
  readonly cluster = new ModelCluster(this.time, 2)
  readonly limits = new TopicLimits(6_000)
  readonly counted = new Map<CounterName, number>()
  readonly dispatcher: Dispatcher
  readonly #meter: Meter

  constructor() {
    const settings = { lingerMs: 5, requestBytes: 20_000 }
    this.dispatcher = new Dispatcher({ wire: this.cluster, settings, clock: this.time, log: silentLogger })
    this.#meter = {
      count: (name, _labels, by = 1) => this.counted.set(name, (this.counted.get(name) ?? 0) + by),
      gauge: () => undefined,
      observe: () => undefined,
    }
  }

  async producer(queueLimitBytes = 1 << 20): Promise<Producer> {
    return new Producer({
      pipeline: 'p',
      identity: await this.cluster.initProducerId(),
      dispatcher: this.dispatcher,
      limits: this.limits,
      buffers: new BufferPool(),
      settings: { compression: 'none', queueLimitBytes, deliveryTimeoutMs },
      clock: this.time,
      meter: this.#meter,
    })
  }

  /** What becomes of a promise, once time has passed. */
  async outcome(promise: Promise<void>, limitMs?: number): Promise<unknown> {
    let outcome: unknown = 'pending'
    promise.then(
      () => {
        outcome = 'done'
      },
      (error: unknown) => {
        outcome = error
      },
    )
    await this.time.run(() => outcome !== 'pending', limitMs)
    return outcome
  }
}

/** A promise that may reject before somebody looks. */
function looked<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

function recordsOf(topic: string, partition: number, values: readonly string[]) {
  return packRecords(
    values.map(value => ({
      topic,
      partition,
      key: Buffer.from('k'),
      value: Buffer.from(value),
      headers: {},
      timestampMs: 1_700_000_000_000,
    })),
  )
}

const long = 'x'.repeat(1_500)

test('an idle broker gets a record at once, a busy one fuller batches', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  await stage.outcome(producer.send(recordsOf('a', 0, ['first']), never))
  const { produced } = stage.cluster
  const startMs = stage.time.nowMs()
  const sending = producer.send(recordsOf('a', 0, ['1']), never)
  await stage.time.run(() => stage.cluster.produced > produced)
  expect(stage.time.nowMs()).toBe(startMs)
  const more: Promise<void>[] = []
  for (let ms = 0; ms < 200; ms += 1)
    stage.time.after(ms, () => more.push(producer.send(recordsOf('a', 0, [`${ms}`]), never)))
  await stage.time.run(() => more.length === 200)
  expect(await stage.outcome(Promise.all([sending, ...more]).then(() => undefined))).toBe('done')
  expect(stage.cluster.produced - produced).toBeLessThan(80)
})

test('one producer with much to send does not hold up another', async () => {
  const stage = new Stage()
  const greedy = await stage.producer()
  const modest = await stage.producer()
  const much = Array.from({ length: 100 }, () => long)
  let greedyDone = false
  const sending = [0, 2].flatMap(partition => [greedy.send(recordsOf('a', partition, much), never)])
  const all = Promise.all(sending).then(() => {
    greedyDone = true
  })
  expect(await stage.outcome(modest.send(recordsOf('b', 0, ['one']), never))).toBe('done')
  expect(greedyDone).toBe(false)
  expect(await stage.outcome(all)).toBe('done')
})

test('a topic without leader holds up no other, and is asked for at a bounded rate', async () => {
  const stage = new Stage()
  const stuck = await stage.producer()
  const other = await stage.producer()
  stage.cluster.log('a', 0).move(-1, 1)
  const waiting = stuck.send(recordsOf('a', 0, ['1']), never)
  expect(await stage.outcome(other.send(recordsOf('b', 0, ['1']), never))).toBe('done')
  expect(await stage.outcome(stuck.send(recordsOf('a', 1, ['1']), never))).toBe('done')
  expect(await stage.outcome(waiting, 5_000)).toBe('pending')
  expect(stage.cluster.lookUps).toBeLessThan(20)
  stage.cluster.log('b', 0).move(1, 1)
  const startMs = stage.time.nowMs()
  expect(await stage.outcome(other.send(recordsOf('b', 0, ['2']), never))).toBe('done')
  expect(stage.time.nowMs() - startMs, 'a moved leader is found at once').toBeLessThan(100)
  stage.cluster.log('a', 0).move(1, 1)
  expect(await stage.outcome(waiting)).toBe('done')
})

test('a refused record ends the producer; what came before it is written and acknowledged', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  await stage.outcome(producer.send(recordsOf('a', 0, ['0']), never))
  const sending = ['1', '2', '3', '4'].map(n =>
    looked(producer.send(recordsOf('a', 0, [`${n}${long}${long}${long}`]), never)),
  )
  stage.cluster.log('a', 0).troubles.push({ code: 0, appended: true }, { code: 87, appended: false })
  const outcomes = []
  for (const one of sending) outcomes.push(await stage.outcome(one))
  expect(outcomes[0]).toBe('done')
  for (const outcome of outcomes.slice(1)) expect(outcome).toBe(outcomes[1])
  expect(outcomes[1]).toBeInstanceOf(PoisonEvent)
  expect(outcomes[1]).toMatchObject({ record: { topic: 'a', partition: 0, keyBytes: 1, position: undefined } })
  expect(String(outcomes[1])).toContain('send 1 records to topic a, partition 0: INVALID_RECORD (87)')
  expect(stage.cluster.log('a', 0).valuesOf(1n)).toHaveLength(2)
  expect(await stage.outcome(producer.send(recordsOf('a', 0, ['5']), never))).toBe(outcomes[1])
  expect(stage.counted.get('sink_errors_total')).toBe(1)
})

test('a batch that is too large makes the next ones smaller; a record that is too large is named, not shown', async () => {
  const stage = new Stage()
  const limitBytes = stage.limits.get('a')
  stage.cluster.log('a', 0).troubles.push({ code: 10, appended: false }, { code: 10, appended: false })
  const several = await stage.outcome((await stage.producer()).send(recordsOf('a', 0, [long, long]), never))
  expect(several).toBeInstanceOf(Retryable)
  expect(stage.limits.get('a')).toBeLessThan(limitBytes / 2)
  const one = await stage.outcome((await stage.producer()).send(recordsOf('a', 0, [long]), never))
  expect(one).toBeInstanceOf(PoisonEvent)
  expect(String(one)).toMatch(/topic a, partition 0, key of 1 bytes: a record of 15\d\d bytes/)
  expect(String(one)).not.toContain('xxx')
})

test('a record that no batch can hold is the only one of its batch', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  const values = ['1', 'x'.repeat(7_000), '2', '3']
  expect(await stage.outcome(producer.send(recordsOf('a', 0, values), never))).toBe('done')
  expect(stage.cluster.log('a', 0).batchSizes).toEqual([1, 1, 2])
})

test('a frozen broker: the producer gives up in time, nothing of it is sent later, and the other one goes on', async () => {
  const stage = new Stage()
  const first = await stage.producer()
  await stage.outcome(first.send(recordsOf('a', 0, ['0']), never))
  stage.cluster.brokers[0]?.freeze(deliveryTimeoutMs + 5_000)
  const startMs = stage.time.nowMs()
  const late = first.send(recordsOf('a', 0, ['1']), never)
  const second = await stage.producer()
  const others: Promise<void>[] = []
  stage.time.after(8_000, () => others.push(second.send(recordsOf('a', 0, ['2']), never)))
  const outcome = await stage.outcome(late)
  expect(outcome).toBeInstanceOf(Retryable)
  expect(String(outcome)).toContain(`topic a, partition 0: nothing was acknowledged within ${deliveryTimeoutMs} ms`)
  expect(stage.time.nowMs() - startMs).toBeLessThanOrEqual(deliveryTimeoutMs + requestTimeoutMs)
  stage.cluster.watch.rejected(1n)
  expect(await stage.outcome(Promise.all(others).then(() => undefined))).toBe('done')
  expect(stage.cluster.violations).toEqual([])
})

test('an abort cancels what is not on the wire; what is there is waited for', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  await stage.outcome(producer.send(recordsOf('a', 0, ['0']), never))
  const abort = new AbortController()
  const onWire = producer.send(recordsOf('a', 0, ['1']), abort.signal)
  const { produced } = stage.cluster
  await stage.time.run(() => stage.cluster.produced > produced)
  const queued = looked(producer.send(recordsOf('a', 0, ['2']), abort.signal))
  abort.abort(new Error('enough'))
  expect(await stage.outcome(onWire)).toBe('done')
  expect(String(await stage.outcome(queued))).toBe('Error: enough')
  expect(stage.cluster.log('a', 0).valuesOf(1n)).toEqual(['0', '1'])
  expect(producer.queuedBytes).toBe(0)
})

test('a pause that a broker asks for is kept and shown', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  const broker = stage.cluster.brokers[0]
  if (broker !== undefined) broker.throttleMs = 3_000
  await stage.outcome(producer.send(recordsOf('a', 0, ['0']), never))
  const untilMs = stage.time.nowMs() + 3_000
  expect(producer.throttledUntilMs).toBe(untilMs)
  expect(await stage.outcome(producer.send(recordsOf('a', 1, ['other broker']), never))).toBe('done')
  expect(stage.time.nowMs()).toBeLessThan(untilMs)
  expect(await stage.outcome(producer.send(recordsOf('a', 0, ['1']), never))).toBe('done')
  expect(stage.time.nowMs()).toBeGreaterThanOrEqual(untilMs)
  expect(stage.counted.get('sink_throttled_seconds_total')).toBe(3)
  expect(stage.cluster.violations).toEqual([])
})

test('more than the queue may hold is a fault of the caller', async () => {
  const stage = new Stage()
  const producer = await stage.producer(10_000)
  const sending = Array.from({ length: 8 }, () => producer.send(recordsOf('a', 0, [long]), never))
  const outcomes = await Promise.allSettled([...sending, stage.time.run(() => false)])
  expect(outcomes.map(({ status }) => status)).toContain('rejected')
  const last = await stage.outcome(producer.send(recordsOf('a', 0, ['1']), never))
  expect(last).toMatchObject({ code: 'INTERNAL' })
})

test('dispose ends within seconds though a broker is frozen, and gives the memory back', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  await stage.outcome(producer.send(recordsOf('a', 0, ['0']), never))
  stage.cluster.brokers[0]?.freeze(60_000)
  const pending = stage.outcome(producer.send(recordsOf('a', 0, ['1']), never), 100)
  expect(await pending).toBe('pending')
  const startMs = stage.time.nowMs()
  expect(await stage.outcome(producer[Symbol.asyncDispose]())).toBe('done')
  expect(stage.time.nowMs() - startMs).toBeLessThanOrEqual(3_000)
  expect(producer.queuedBytes).toBe(0)
  stage.dispatcher[Symbol.dispose]()
})
