import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../../../src/log.ts'
import { silentMeter } from '../../../../src/meter.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { Coordinators } from '../../../../src/sink/kafka/producer/coordinators.ts'
import { Dispatcher } from '../../../../src/sink/kafka/producer/dispatcher.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { openWireSink } from '../../../../src/sink/kafka/wire-sink.ts'
import type { TransactionalSink } from '../../../../src/sink/sink.ts'
import { ModelCluster } from './model-cluster.ts'
import { StoppableClock } from './stoppable-clock.ts'
import { VirtualTime } from './virtual-time.ts'

const never = new AbortController().signal
const id = 'shop.orders.0'

/** Sinks of one id over a model of Kafka, in virtual time; the first one's process can be stopped. */
class Stage {
  readonly time: VirtualTime
  readonly cluster: ModelCluster
  readonly clock: StoppableClock

  constructor(seed: number) {
    this.time = new VirtualTime(seed)
    this.cluster = new ModelCluster(this.time, 3)
    this.clock = new StoppableClock(this.time)
  }

  async open(clock = this.clock): Promise<TransactionalSink> {
    const { cluster: wire } = this
    const settings = { lingerMs: 5, requestBytes: 700 }
    const parts = {
      capabilities: { headers: true, idempotence: true, transactions: true },
      wire,
      dispatcher: new Dispatcher({ wire, settings, clock, log: silentLogger }),
      coordinators: new Coordinators({ wire, clock }),
      transactionTimeoutMs: 10_000,
      buffers: new BufferPool(),
      limits: {
        get: () => 200,
        refusedBatch: () => undefined,
        suspectedBatch: () => undefined,
        foundRecord: () => undefined,
      },
      settings: { compression: 'none', queueLimitBytes: 1 << 20, deliveryTimeoutMs: 60_000 },
      countPartitions: async () => 1,
      clock,
      meter: silentMeter,
    } as const
    const request = { pipeline: id, transactionalId: id, transactions: true }
    return (await this.end(openWireSink(parts, request, never))) as TransactionalSink
  }

  /** A successor in a process of its own. */
  openElsewhere(): Promise<TransactionalSink> {
    return this.open(new StoppableClock(this.time))
  }

  /** What `work` comes to, its value or its error. */
  async end<T>(work: PromiseLike<T>): Promise<T> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    work.then(over, over)
    await this.time.run(() => isOver)
    expect(isOver).toBe(true)
    return work
  }

  fate(work: Promise<unknown>): Promise<unknown> {
    return this.end(work.catch((error: unknown) => error))
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return this.end(this.time.sleep(ms))
  }
}

function records(value: string) {
  const timestampMs = 1_700_000_000_000
  const place = { topic: 'data', partition: 0, key: Buffer.from('k'), headers: {}, timestampMs }
  return packRecords([{ ...place, value: Buffer.from(value) }])
}

const seeds = Array.from({ length: 30 }, (_, seed) => seed)

describe.each(['send', 'commit'] as const)('a sink that is refused after a stop, at its next %s', next => {
  const go = async (sink: TransactionalSink) => await sink[next](records('late'), never)

  it.each(seeds)('is retried where the coordinator has ended its transaction (seed %i)', async seed => {
    const stage = new Stage(seed)
    const sink = await stage.open()
    await stage.end(sink.send(records('open'), never))
    stage.clock.stop()
    await stage.pass(12_000)
    stage.clock.goOn()
    const fate = await stage.fate(go(sink))
    expect(fate).toMatchObject({
      name: 'Retryable',
      message: expect.stringMatching(/^Kafka has ended a transaction of/),
    })
    expect(await stage.fate(go(sink))).toBe(fate)
    expect(stage.cluster.coordinator.timeouts).toBe(1)
    await stage.end(sink[Symbol.asyncDispose]())
    const successor = await stage.open()
    await stage.end(successor.commit(records('successor'), never))
    await stage.pass(100) // The markers are written.
    expect(stage.cluster.log('data', 0).committed.values).toEqual(['successor'])
  })

  it.each(seeds)('is fenced where another has taken over, who goes on (seed %i)', async seed => {
    const stage = new Stage(seed)
    const sink = await stage.open()
    await stage.end(sink.send(records('open'), never))
    stage.clock.stop()
    const isLate = seed % 2 === 0
    await stage.pass(isLate ? 12_000 : 5_000)
    expect(stage.cluster.coordinator.timeouts).toBe(isLate ? 1 : 0)
    const successor = await stage.openElsewhere()
    if (seed % 3 > 0) await stage.end(successor.send(records('successor'), never))
    if (!isLate) await stage.pass(seed % 3 > 0 ? 5_500 : 20_000)
    stage.clock.goOn()
    expect(await stage.fate(go(sink))).toMatchObject({
      name: 'Fenced',
      code: 'SINK_FENCED',
      message: `another instance has taken over ${id}`,
    })
    await stage.end(successor.commit(records('committed'), never))
    await stage.end(sink[Symbol.asyncDispose]())
    await stage.pass(100)
    expect(stage.cluster.log('data', 0).committed.values.at(-1)).toBe('committed')
    expect(stage.cluster.violations).toEqual([])
  })

  it('is fenced where the successor has come and gone, its transaction aborted', async () => {
    const stage = new Stage(1)
    const sink = await stage.open()
    await stage.end(sink.send(records('open'), never))
    stage.clock.stop()
    const successor = await stage.openElsewhere()
    await stage.end(successor.send(records('successor'), never))
    await stage.end(successor[Symbol.asyncDispose]())
    await stage.pass(12_000)
    stage.clock.goOn()
    expect(await stage.fate(go(sink))).toMatchObject({ name: 'Fenced', code: 'SINK_FENCED' })
    await stage.end(sink[Symbol.asyncDispose]())
    expect(stage.cluster.log('data', 0).committed).toMatchObject({ values: [], isWhole: true })
  })
})

describe('a sink that is taken over while it works', () => {
  it.each(seeds)('is fenced, also while the successor is still opening (seed %i)', async seed => {
    const stage = new Stage(seed)
    const sink = await stage.open()
    await stage.end(sink.send(records('open'), never))
    await stage.pass(5_000)
    const opening = stage.openElsewhere()
    let fate: unknown
    while (fate === undefined) fate = await stage.fate(sink.send(records('late'), never))
    expect(fate).toMatchObject({ name: 'Fenced', code: 'SINK_FENCED' })
    const successor = await opening
    await stage.end(successor.commit(records('successor'), never))
    await stage.pass(100)
    expect(stage.cluster.log('data', 0).committed.values).toEqual(['successor'])
  })
})

describe('where the coordinator does not say who ended the transaction', () => {
  async function refused(prepare: (stage: Stage) => void): Promise<unknown> {
    const stage = new Stage(1)
    const sink = await stage.open()
    await stage.end(sink.send(records('open'), never))
    stage.clock.stop()
    await stage.pass(12_000)
    prepare(stage)
    stage.clock.goOn()
    return stage.fate(sink.send(records('late'), never))
  }

  it('because it is older than Kafka 3.0, the sink is fenced', async () => {
    const fate = await refused(stage => {
      stage.cluster.coordinator.describes = false
    })
    expect(fate).toMatchObject({ name: 'Fenced', code: 'SINK_FENCED' })
    expect((fate as Error).message).toMatch(
      /or Kafka has ended its transaction, which was open for 12\d\d\d(\.\d+)? ms/,
    )
  })

  it('because it does not answer, the sink is fenced, after some seconds', async () => {
    let asked = 0
    const fate = await refused(stage => {
      stage.cluster.coordinator.describeTransaction = () => {
        asked += 1
        for (const broker of stage.cluster.brokers) broker.isFrozen = true
        return undefined
      }
    })
    expect(asked).toBe(1)
    expect(fate).toMatchObject({ name: 'Fenced', code: 'SINK_FENCED' })
  })
})
