import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { positionBytes } from '../../src/encode/headers.ts'
import { Fenced, PoisonEvent, Retryable } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { machinery } from '../../src/pipeline/attempt.ts'
import { Monitor } from '../../src/pipeline/monitor.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import { firstWindowBytes, runPipeline } from '../../src/pipeline/run-pipeline.ts'
import { Position } from '../../src/position.ts'
import { packRecords } from '../../src/record-headers.ts'
import type { Sink } from '../../src/sink/sink.ts'

const capabilities = { headers: true, idempotence: true, transactions: false }

function partsOf(steps: string[], others: Partial<PipelineParts> = {}): PipelineParts {
  const sink: Sink = {
    capabilities,
    partitions: async () => 1,
    send: async () => void steps.push('send'),
    async [Symbol.asyncDispose]() {
      steps.push('close')
      throw new Retryable('SINK_UNREACHABLE', 'it cannot even be closed')
    },
  }
  const names = { name: 'orders', deployment: 'shop', slot: 0, cluster: 'rs', filterHash: 'none', topic: '{db}' }
  return {
    ...names,
    revision: () => 0,
    lease: { confirm: async () => void steps.push('confirm') },
    delivery: 'at-least-once',
    source: { now: async () => Position.ofTime(1n), async *read() {} },
    store: {
      load: async () => void steps.push('load') as undefined,
      save: async () => void steps.push('save'),
      async [Symbol.asyncDispose]() {},
    },
    openSink: async () => {
      steps.push('open')
      return sink
    },
    createEncoder: () => {
      throw new Retryable('SINK_UNAVAILABLE', 'it fails')
    },
    spec: { partitions: 1, replication: 1, config: {} },
    onError: { oversize: 'dead-letter', poison: 'dead-letter', deadLetterTopic: '{topic}.dlq' },
    startAt: undefined,
    saveIntervalMs: 0,
    commitIntervalMs: () => 0,
    limits: { inFlightBytes: 1, drainMs: 1 },
    backOff: { initialMs: 1, maxMs: 1 },
    monitor: new Monitor('orders', systemClock, silentMeter),
    clock: systemClock,
    log: silentLogger,
    meter: silentMeter,
    ...others,
  }
}

/** Where the checkpoints go through the sink, as records of Kafka, and where a store has a fence of its own. */
const inKafka = ['confirm', 'open', 'load', 'send', 'close']
const elsewhere = ['confirm', 'load', 'save', 'open', 'save', 'close']

test.each([
  ['loads what the sink that is open guards', inKafka],
  ['claims a store before the sink is open, and confirms it after', elsewhere],
])('each attempt confirms the lease, %s, and has closed it before the next', async (_name, attempt) => {
  const steps: string[] = []
  const stop = new AbortController()
  let attempts = 0
  const confirm = async () => {
    steps.push('confirm')
    if (++attempts === 3) throw new Fenced('SINK_FENCED', 'the slot is somebody else’s')
  }
  const parts = partsOf(steps, { lease: { confirm } })
  const store = Object.assign({}, parts.store, attempt === inKafka && { toRecords: () => packRecords([]) })
  const fault = await runPipeline({ ...parts, store }, stop.signal, machinery)
  expect(fault).toMatchObject({ code: 'SINK_FENCED' })
  expect(steps).toEqual([...attempt, ...attempt, 'confirm'])
})

test('a sink that cannot be closed after a failure does not turn a retry into an end', async () => {
  const steps: string[] = []
  const stop = new AbortController()
  const parts = partsOf(steps, {
    createEncoder: () => {
      if (steps.length > 6) stop.abort()
      throw new Retryable('SINK_UNAVAILABLE', 'it fails')
    },
  })
  expect(await runPipeline(parts, stop.signal)).toBeUndefined()
  expect(steps.filter(step => step === 'open')).toHaveLength(2)
})

test('a stop in the middle of a retry ends with what failed before, while there is something to replay', async () => {
  const stop = new AbortController()
  const monitor = Object.defineProperty(new Monitor('orders', systemClock, silentMeter), 'owes', { value: true })
  let attempts = 0
  const confirm = async (signal: AbortSignal) => {
    if (++attempts === 2) stop.abort()
    signal.throwIfAborted()
  }
  const fault = await runPipeline(partsOf([], { lease: { confirm }, monitor }), stop.signal)
  expect(attempts).toBe(2)
  expect(fault).toMatchObject({ code: 'SINK_UNAVAILABLE', message: 'it fails' })
})

test('exactly-once without transactions is refused, with what to do', async () => {
  const fault = await runPipeline(partsOf([], { delivery: 'exactly-once' }), new AbortController().signal)
  expect(fault).toMatchObject({ code: 'DELIVERY_UNSUPPORTED', message: expect.stringContaining('no transactions') })
})

describe('an event that the sink refuses', () => {
  const record = { topic: 'shop', partition: 0, keyBytes: 1, position: positionBytes(0, Position.ofTime(7n), 0) }
  const refusal = () => new PoisonEvent('SINK_RECORD_INVALID', 'refused', { record })
  const refusing = (attempts: number[]) => ({
    createEncoder: () => {
      attempts.push(1)
      throw refusal()
    },
    backOff: { initialMs: 1e9, maxMs: 1e9 },
  })

  test('is tried once more at once, to get past it; refused again it ends the pipeline, saying so', async () => {
    const attempts: number[] = []
    const fault = await runPipeline(partsOf([], refusing(attempts)), new AbortController().signal)
    expect(fault).toMatchObject({ name: 'Configuration', code: 'DEAD_LETTER_REFUSED' })
    expect(attempts).toHaveLength(2)
  })

  test('ends the pipeline at once where that is what it is to do', async () => {
    const attempts: number[] = []
    const onError = { oversize: 'dead-letter', poison: 'fail', deadLetterTopic: '{topic}.dlq' } as const
    const parts = partsOf([], { ...refusing(attempts), onError })
    const fault = await runPipeline(parts, new AbortController().signal)
    expect(fault).toMatchObject({ name: 'PoisonEvent', code: 'SINK_RECORD_INVALID' })
    expect(attempts).toHaveLength(1)
  })
})

test('after failures an attempt begins with a small window, never with none and never with more than there is', () => {
  expect(firstWindowBytes(16 << 20, 0)).toBe(16 << 20)
  expect(firstWindowBytes(16 << 20, 1)).toBe(1 << 20)
  expect(firstWindowBytes(16 << 20, 2)).toBe(64 << 10)
  expect(firstWindowBytes(16 << 20, 1_000)).toBe(64 << 10)
  expect(firstWindowBytes(420, 3)).toBe(420)
})
