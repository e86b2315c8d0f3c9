import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { Encoder } from '../../src/encode/encode.ts'
import { createEncoder } from '../../src/encode/encoder.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import type { ChangeBatch } from '../../src/event.ts'
import { silentLogger } from '../../src/log.ts'
import { type Labels, type Meter, silentMeter } from '../../src/meter.ts'
import { AtLeastOnce } from '../../src/pipeline/at-least-once.ts'
import { PipelineMonitor } from '../../src/pipeline/pipeline-monitor.ts'
import { createPrepare } from '../../src/pipeline/prepare.ts'
import { stream } from '../../src/pipeline/stream.ts'
import { VerdictsAhead } from '../../src/pipeline/verdicts.ts'
import { Position } from '../../src/position.ts'
import { eventOf, optionsOf } from '../encode/events.ts'

/** Time passes while somebody computes, and else only when everybody waits. */
class VirtualClock implements Clock {
  #nowMs = 1_700_000_000_000
  #computedMs = 0
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>()

  nowMs(): number {
    return this.#nowMs
  }

  random(): number {
    return 0
  }

  /** The thread is busy for `ms`: nothing else goes on. */
  compute(ms: number): void {
    this.#nowMs += ms
    this.#computedMs += ms
  }

  idleMs(): number {
    return this.#nowMs - this.#computedMs
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const sleeper = { atMs: this.#nowMs + ms, wake: resolve }
    this.#sleepers.add(sleeper)
    signal?.addEventListener('abort', () => {
      this.#sleepers.delete(sleeper)
      reject(signal.reason)
    })
    await promise
  }

  /** Lets `ms` pass, or what somebody computes beyond that. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    while (this.#nowMs < untilMs) await this.#step()
  }

  /** Lets time pass until `work` has settled. */
  async finish(work: Promise<void>): Promise<void> {
    let done = false
    const settled = work.finally(() => {
      done = true
    })
    while (!done) await this.#step()
    await settled
  }

  async #step(): Promise<void> {
    await turn()
    const [next] = [...this.#sleepers].sort((a, b) => a.atMs - b.atMs)
    if (next === undefined) return
    this.#sleepers.delete(next)
    this.#nowMs = Math.max(this.#nowMs, next.atMs)
    next.wake()
  }
}

/** What each stage costs, for a batch; `sinkComputeMs` of what the sink does to an answer. MongoDB answers with all that it has, or with the rest of what it has. */
interface Costs {
  sourceMs: number
  encodeMs: number
  sinkMs: number
  sinkComputeMs: number
  more: boolean
}

const batchEvents = 10
const event = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { _id: 7, text: 'a'.repeat(500) } })

/** The loop, the real encoder and the real delivery, between a source and a sink that take their time. */
function start(costs: Costs, stop: AbortSignal) {
  const clock = new VirtualClock()
  const shares = new Map<string, number>()
  const meter: Meter = {
    ...silentMeter,
    gauge: (name, labels: Labels, value) => {
      if (name === 'stage_busy_ratio') shares.set(`${labels.pipeline} ${labels.stage}`, value ?? Number.NaN)
    },
  }
  const monitor = new PipelineMonitor({ name: 'orders', unowned: () => 'starting', clock, meter })
  const watch = monitor.open(0)
  const real = createEncoder(optionsOf(), silentMeter, new RecordBlocks())
  const encoder: Encoder = {
    begin: () => real.begin(),
    encode: each => {
      clock.compute(costs.encodeMs / batchEvents)
      real.encode(each)
    },
    encodeDeadLetter: (each, why) => real.encodeDeadLetter(each, why),
  }
  const prepare = createPrepare({
    pipeline: 'orders',
    encoder,
    sink: { partitions: async () => 4 },
    counts: { partitions: () => 4, usePartitions: async () => undefined },
    topic: '{db}.{collection}',
    spec: { partitions: 4, replication: undefined, config: {} },
    onError: { oversize: 'fail', poison: 'fail', deadLetterTopic: '{topic}.dlq' },
    verdicts: new VerdictsAhead(new Map()),
    log: silentLogger,
    meter: silentMeter,
    watch,
  })
  /** Reads one batch ahead. */
  async function* read(_from: Position, signal: AbortSignal): AsyncGenerator<ChangeBatch> {
    let next = clock.sleep(costs.sourceMs)
    for (let time = 1n; !signal.aborted; time += 1n) {
      await next
      next = clock.sleep(costs.sourceMs)
      const events = Array.from({ length: batchEvents }, () => event)
      yield { events, position: Position.ofTime(time), bytes: 1, more: costs.more }
    }
  }
  let sent = Promise.resolve()
  const send = (): Promise<void> => {
    // One after the other, as a throttled connection does.
    sent = sent.then(() => clock.sleep(costs.sinkMs)).then(() => clock.compute(costs.sinkComputeMs))
    return sent
  }
  const nothing = async () => undefined
  const delivery = new AtLeastOnce({ send }, { save: nothing, usePartitions: nothing })
  const limits = { inFlightBytes: 30_000, drainMs: 60_000 }
  const from = Position.ofTime(0n)
  const running = stream({ source: { read }, from, prepare, delivery, watch, clock, limits }, stop)
  return { clock, monitor, shares, running }
}

const quick = { sourceMs: 4, encodeMs: 2, sinkMs: 3, sinkComputeMs: 0, more: true }

test.each([
  ['source', { ...quick, sourceMs: 40 }],
  ['encode', { ...quick, encodeMs: 40 }],
  ['sink', { ...quick, sinkMs: 40 }],
  // Compression, say: the loop waits for the sink or the source, but the processor is what there is too little of.
  ['encode', { ...quick, sinkComputeMs: 40 }],
] as const)('%s: a stage that takes ten times as long is what limits the throughput', async (stage, costs) => {
  const stop = new AbortController()
  const { clock, monitor, shares, running } = start(costs, stop.signal)
  await clock.pass(20_000)
  monitor.report()
  const { busy, limitedBy } = monitor.status
  expect(limitedBy).toEqual({ stage, ratio: busy[stage] })
  expect(busy[stage]).toBeGreaterThan(0.85)
  expect(busy.source + busy.encode + busy.sink).toBeCloseTo(1, 6)
  expect(shares.get(`orders ${stage}`)).toBe(busy[stage])
  expect(shares.size).toBe(3)
  stop.abort()
  await clock.finish(running)
  expect(monitor.status.records).toBeGreaterThan(1_000)
})

test('nothing limits a pipeline that was stopped', async () => {
  const stop = new AbortController()
  const { clock, monitor, running } = start({ ...quick, sinkMs: 40 }, stop.signal)
  await clock.pass(20_000)
  stop.abort()
  await clock.finish(running)
  clock.compute(10_000)
  expect(monitor.status).toMatchObject({ busy: { source: 0, encode: 0, sink: 0 }, limitedBy: null })
})

test('follows what happens: the sink, then the CPU, then the source, then nothing', async () => {
  const stop = new AbortController()
  const costs: Costs = { ...quick, sinkMs: 200 }
  const { clock, monitor, running } = start(costs, stop.signal)
  const limiting = async (change: Partial<Costs>) => {
    Object.assign(costs, quick, change)
    await clock.pass(15_000)
    return monitor.status.limitedBy?.stage ?? null
  }
  expect(await limiting({ sinkMs: 200 })).toBe('sink')
  expect(await limiting({ encodeMs: 50 })).toBe('encode')
  expect(await limiting({ sourceMs: 1_000 })).toBe('source')
  // The same waits, but MongoDB had no more: nobody has changed anything.
  expect(await limiting({ sourceMs: 1_000, more: false })).toBeNull()
  expect(monitor.status.busy.source).toBe(0)
  stop.abort()
  await clock.finish(running)
})
