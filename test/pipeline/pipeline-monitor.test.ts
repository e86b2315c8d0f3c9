import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { Configuration, Retryable } from '../../src/errors.ts'
import { type GaugeName, type Labels, type Meter, silentMeter } from '../../src/meter.ts'
import { PipelineMonitor } from '../../src/pipeline/pipeline-monitor.ts'
import type { PipelineState } from '../../src/status.ts'
import { at, batch } from './batch.ts'

function setting() {
  const time = { nowMs: 100_000 }
  const unowned: { state: PipelineState } = { state: 'starting' }
  /** Every series that is there, as Prometheus would show it. */
  const series = new Map<string, number>()
  const gauge = (name: GaugeName, labels: Labels, value: number | undefined) => {
    const key = `${name} ${Object.values(labels).join(' ')}`.trim()
    if (value === undefined) series.delete(key)
    else series.set(key, value)
  }
  const meter: Meter = { ...silentMeter, gauge }
  const clock: Clock = { nowMs: () => time.nowMs, random: () => 0, sleep: async () => undefined }
  const monitor = new PipelineMonitor({ name: 'orders', unowned: () => unowned.state, clock, meter })
  return { monitor, series, time, unowned }
}

test('the worst slot is the state, the largest lag the lag, the earliest position the position', () => {
  const { monitor } = setting()
  const [first, second] = [monitor.open(0), monitor.open(3)]
  for (const [slot, seconds] of [
    [first, 90],
    [second, 95],
  ] as const) {
    slot.durable(at(seconds), seconds * 1_000 + 1)
    const idle = batch(seconds)
    slot.began(idle)
    slot.delivered(idle)
  }
  const records = batch(99, 97)
  second.began(records)
  expect(monitor.status).toMatchObject({ state: 'idle', lagMs: 10_000, positionMs: 90_000 })
  expect(monitor.status).toMatchObject({ checkpointSavedAtMs: 90_001, inFlightRecords: 1, inFlightBytes: 10 })
  second.delivered(records)
  expect(monitor.status).toMatchObject({ state: 'running', records: 1, inFlightRecords: 0 })
  first.enter('retrying', new Retryable('SINK_UNAVAILABLE', 'gone'))
  expect(monitor.status).toMatchObject({
    state: 'retrying',
    error: { code: 'SINK_UNAVAILABLE', message: 'slot 0: gone' },
  })
  second.enter('failed', new Configuration('SINK_UNAUTHORIZED', 'not allowed'))
  expect(monitor.status).toMatchObject({ state: 'failed', error: { message: 'slot 3: not allowed' } })
})

test('what one owned slot does not know is not known (G8)', () => {
  const { monitor, series } = setting()
  const first = monitor.open(0)
  first.durable(at(90), 1)
  const idle = batch(95)
  first.began(idle)
  first.delivered(idle)
  monitor.report()
  expect(series.get('pipeline_lag_seconds orders')).toBe(5)
  monitor.open(1)
  monitor.report()
  expect(monitor.status).toMatchObject({ state: 'starting', lagMs: null, positionMs: null, checkpointSavedAtMs: null })
  expect([...series.keys()]).not.toContain('pipeline_lag_seconds orders')
  expect([...series.keys()]).not.toContain('checkpoint_age_seconds orders')
  monitor.close(1)
  expect(monitor.status.lagMs).toBe(5_000)
})

test('with one slot its error has no slot', () => {
  const { monitor } = setting()
  monitor.open(0).enter('failed', new Configuration('SINK_UNAUTHORIZED', 'not allowed'))
  expect(monitor.status.error).toMatchObject({ message: 'not allowed' })
})

test('without slots there is nothing but the state, which the worker says; what was delivered is not forgotten', () => {
  const { monitor, series, unowned } = setting()
  expect(monitor.status).toMatchObject({ state: 'starting', lagMs: null, records: 0 })
  const slot = monitor.open(0)
  slot.durable(at(90), 1)
  const records = batch(95, 94)
  slot.began(records)
  slot.delivered(records)
  monitor.oplogWindow({ member: 'a:1', oldestMs: 20_000, newestMs: 80_000 })
  monitor.report()
  expect(series.size).toBeGreaterThan(12)
  monitor.close(0)
  unowned.state = 'standby'
  monitor.report()
  expect(monitor.status).toMatchObject({ state: 'standby', lagMs: null, records: 1 })
  expect([...series].filter(([, value]) => value !== 0)).toEqual([['pipeline_state orders standby', 1]])
  expect([...series.keys()].every(key => key.startsWith('pipeline_state '))).toBe(true)
})

test('a paused pipeline is paused, whatever its slots did; its lag grows and its headroom shrinks', () => {
  const { monitor, time } = setting()
  const slot = monitor.open(0)
  slot.durable(at(95), 95_000)
  const idle = batch(95)
  slot.began(idle)
  slot.delivered(idle)
  slot.enter('failed', new Configuration('SINK_UNAUTHORIZED', 'not allowed'))
  monitor.paused = true
  expect(monitor.status).toMatchObject({ state: 'paused', error: null, lagMs: 5_000 })
  time.nowMs += 60_000
  monitor.oplogWindow({ member: 'a:1', oldestMs: 80_000, newestMs: 160_000 })
  expect(monitor.status).toMatchObject({ lagMs: 65_000, oplogHeadroomMs: 15_000, oplogWindowMs: 80_000 })
})

test('headroom is the window minus the age of the earliest durable position', () => {
  const { monitor, series } = setting()
  monitor.open(0).durable(at(50), 90_000)
  monitor.open(1).durable(at(70), 95_000)
  monitor.oplogWindow({ member: 'a:1', oldestMs: 20_000, newestMs: 80_000 })
  monitor.report()
  expect(series.get('oplog_window_seconds a:1')).toBe(60)
  expect(series.get('oplog_headroom_seconds orders a:1')).toBe(30)
  expect(series.get('oplog_headroom_ratio orders a:1')).toBe(0.5)
  expect(series.get('checkpoint_age_seconds orders')).toBe(10)
  monitor.oplogWindow({ member: 'b:1', oldestMs: 20_000, newestMs: 80_000 })
  monitor.report()
  expect(series.get('oplog_headroom_seconds orders b:1')).toBe(30)
  expect([...series.keys()].filter(key => key.endsWith('a:1'))).toEqual([])
})

test('while MongoDB cannot be read, the headroom shrinks with the clock, and the window keeps its length', () => {
  const { monitor, time } = setting()
  monitor.open(0).durable(at(50), 90_000)
  const window = { member: 'a:1', oldestMs: 20_000, newestMs: 80_000 }
  monitor.oplogWindow(window)
  time.nowMs += 30_000 // Two measurements were missed, which says nothing yet.
  expect(monitor.status).toMatchObject({ oplogHeadroomMs: 30_000, oplogWindowMs: 60_000 })
  time.nowMs += 10_000
  expect(monitor.status).toMatchObject({ oplogHeadroomMs: -10_000, oplogWindowMs: 60_000 })
  monitor.oplogWindow(window)
  expect(monitor.status).toMatchObject({ oplogHeadroomMs: 30_000, oplogWindowMs: 60_000 })
})

test('the busiest slot is the one that limits', () => {
  const { monitor, time } = setting()
  monitor.open(0)
  const busy = monitor.open(1)
  busy.doing('sink')
  monitor.throttled(250)
  time.nowMs += 1_000
  expect(monitor.status).toMatchObject({
    busy: { source: 0, encode: 0, sink: 1 },
    limitedBy: { stage: 'sink', ratio: 1 },
    throttledRatio: 0.25,
  })
})

test('of a retired pipeline no series is left', () => {
  const { monitor, series } = setting()
  const slot = monitor.open(0)
  slot.durable(at(50), 90_000)
  const idle = batch(95)
  slot.began(idle)
  slot.delivered(idle)
  monitor.oplogWindow({ member: 'a:1', oldestMs: 20_000, newestMs: 80_000 })
  monitor.report()
  expect(series.size).toBe(8 + 3 + 4 + 3)
  monitor.retire()
  expect([...series.keys()]).toEqual([])
})
