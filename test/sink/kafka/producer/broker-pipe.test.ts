import { expect, test } from 'vitest'
import { Retryable } from '../../../../src/errors.ts'
import { silentLogger } from '../../../../src/log.ts'
import { silentMeter } from '../../../../src/meter.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { Dispatcher } from '../../../../src/sink/kafka/producer/dispatcher.ts'
import { Producer } from '../../../../src/sink/kafka/producer/producer.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { silenceMs } from '../../../../src/sink/kafka/silence.ts'
import { TopicLimits } from '../../../../src/sink/kafka/topic-limits.ts'
import type {
  BrokerConnection,
  ProduceAnswer,
  ProduceBatch,
  TopicLeaders,
  Wire,
} from '../../../../src/sink/kafka/wire.ts'
import { VirtualTime } from './virtual-time.ts'

const never = new AbortController().signal
const unused = () => Promise.reject(new Error('not asked here'))

/**
 * Broker 0 takes connections and requests and never answers, or only over connections that are not `swallowed`; broker 1
 * answers at once. Partition 0 is led by `leader`.
 */
class HalfFrozen implements Wire {
  leader = 0
  /** Which connections to broker 0, counted from 0, are dead without a word. */
  swallowed = (_connection: number) => true
  /** Broker 0 does not even finish the handshake, as a frozen one behind TLS. */
  isMute = false
  lookUps = 0
  readonly connections: number[] = []
  closed = 0
  #producers = 0n

  async connect(nodeId: number, signal: AbortSignal): Promise<BrokerConnection> {
    const connection = this.connections.push(nodeId) - 1
    if (nodeId === 0 && this.isMute) await untilAborted(signal)
    const { promise: gone, reject } = Promise.withResolvers<never>()
    gone.catch(() => undefined)
    return {
      nodeId,
      produce: batches => (nodeId === 0 && this.swallowed(connection) ? gone : answerTo(batches)),
      close: () => {
        this.closed += 1
        reject(new Retryable('SINK_UNAVAILABLE', 'closed'))
      },
    }
  }

  async leaders(topics: readonly string[]): Promise<readonly TopicLeaders[]> {
    this.lookUps += 1
    return topics.map(topic => ({ topic, errorCode: 0, leaders: [this.leader] }))
  }

  async initProducerId() {
    this.#producers += 1n
    return { producerId: this.#producers, producerEpoch: 0 }
  }

  findCoordinator = unused
  coordinate = unused

  async [Symbol.asyncDispose](): Promise<void> {}
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

async function answerTo(batches: readonly ProduceBatch[]): Promise<ProduceAnswer> {
  const results = batches.map(({ topic, partition }) => ({
    ...{ topic, partition, errorCode: 0, baseOffset: 0n, rejected: [] },
  }))
  return { results, throttleMs: 0 }
}

class Stage {
  readonly time = new VirtualTime(3)
  readonly wire = new HalfFrozen()
  readonly dispatcher = new Dispatcher({
    wire: this.wire,
    settings: { lingerMs: 5, requestBytes: 20_000 },
    clock: this.time,
    log: silentLogger,
  })

  async producer(deliveryTimeoutMs = 60_000): Promise<Producer> {
    return new Producer({
      pipeline: 'p',
      identity: await this.wire.initProducerId(),
      dispatcher: this.dispatcher,
      limits: new TopicLimits(6_000),
      buffers: new BufferPool(),
      settings: { compression: 'none', queueLimitBytes: 1 << 20, deliveryTimeoutMs },
      clock: this.time,
      meter: silentMeter,
    })
  }

  /** Sends one record; tells how it ended, `pending` where it has not after `limitMs`. */
  async send(producer: Producer, limitMs: number): Promise<string> {
    const record = { topic: 'a', partition: 0, key: Buffer.from('k'), value: Buffer.from('v'), headers: {} }
    let outcome = 'pending'
    producer.send(packRecords([{ ...record, timestampMs: this.time.nowMs() }]), never).then(
      () => {
        outcome = 'done'
      },
      () => {
        outcome = 'failed'
      },
    )
    await this.time.run(() => outcome !== 'pending', limitMs)
    return outcome
  }
}

test('a silent broker is left as soon as others lead its partitions', async () => {
  const stage = new Stage()
  stage.time.after(1_000, () => {
    stage.wire.leader = 1
  })
  const startMs = stage.time.nowMs()
  expect(await stage.send(await stage.producer(), 60_000)).toBe('done')
  expect(stage.wire.connections).toEqual([0, 1])
  expect(stage.wire.closed).toBe(1)
  expect(stage.time.nowMs() - startMs).toBeLessThan(4_000) // Of the model's time.
})

test('a silent broker that still leads is asked about and kept', async () => {
  const stage = new Stage()
  expect(await stage.send(await stage.producer(), 9_000)).toBe('pending')
  expect(stage.wire.connections).toEqual([0])
  expect(stage.wire.closed).toBe(0)
  expect(stage.wire.lookUps).toBeGreaterThanOrEqual(4)
  stage.wire.leader = 1
  await stage.time.run(() => stage.wire.connections.length === 2, 3_000)
  expect(stage.wire.connections).toEqual([0, 1])
})

test('a broker that is silent while a connection is made is left as soon as others lead its partitions', async () => {
  const stage = new Stage()
  stage.wire.isMute = true
  stage.time.after(1_000, () => {
    stage.wire.leader = 1
  })
  const startMs = stage.time.nowMs()
  expect(await stage.send(await stage.producer(), 60_000)).toBe('done')
  expect(stage.wire.connections).toEqual([0, 1])
  expect(stage.time.nowMs() - startMs).toBeLessThan(2 * silenceMs) // Of the model's time.
})

test('one that still leads is waited for while a connection is made, and asked about', async () => {
  const stage = new Stage()
  stage.wire.isMute = true
  expect(await stage.send(await stage.producer(), 6 * silenceMs)).toBe('pending')
  expect(stage.wire.connections).toEqual([0])
  expect(stage.wire.lookUps).toBeGreaterThanOrEqual(4)
})

test('the successor of a producer that gave a silent broker up does not begin with that broker', async () => {
  const stage = new Stage()
  const first = await stage.producer(1_500)
  expect(await stage.send(first, 10_000)).toBe('failed')
  stage.wire.leader = 1
  expect(await stage.send(await stage.producer(), 1_000)).toBe('done')
  expect(stage.wire.connections).toEqual([0, 1])
})

test('a connection that was quiet before and is silent now is left for another, which has its time', async () => {
  const stage = new Stage()
  const producer = await stage.producer()
  stage.wire.swallowed = () => false
  expect(await stage.send(producer, 1_000)).toBe('done')
  stage.time.after(silenceMs, () => {})
  await stage.time.run(() => false)
  stage.wire.swallowed = connection => connection === 0
  const sentMs = stage.time.nowMs()
  expect(await stage.send(producer, 60_000)).toBe('done')
  expect(stage.wire.connections).toEqual([0, 0])
  expect(stage.time.nowMs() - sentMs).toBeLessThan(2 * silenceMs) // Of the model's time.
  stage.time.after(silenceMs, () => {})
  await stage.time.run(() => false)
  stage.wire.swallowed = () => true
  expect(await stage.send(producer, 20 * silenceMs)).toBe('pending')
  expect(stage.wire.connections).toEqual([0, 0, 0])
})
