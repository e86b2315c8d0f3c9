import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { Configuration } from '../../src/errors.ts'
import { silentMeter } from '../../src/meter.ts'
import { Monitor } from '../../src/pipeline/monitor.ts'
import { at, batch } from './batch.ts'

function setting(nowSeconds: number) {
  const clock: Clock = { nowMs: () => nowSeconds * 1_000, random: () => 0, sleep: async () => undefined }
  return { monitor: new Monitor('orders', clock, silentMeter) }
}
describe('lag (G8)', () => {
  test('is unknown before anything was read, also with a position from the last run', () => {
    const { monitor } = setting(100)
    monitor.durable(at(40), 0)
    expect(monitor.lagMs).toBeNull()
  })

  test('is the age of the high-water mark when nothing is in flight', () => {
    const { monitor } = setting(100)
    monitor.began(batch(90))
    monitor.delivered(batch(90)) // Not the batch in flight: ignored.
    expect(monitor.lagMs).toBeNull()
    const idle = batch(95)
    monitor.began(idle)
    monitor.delivered(idle)
    expect(monitor.lagMs).toBe(5_000)
    expect(monitor.figures.state).toBe('running')
  })

  test('is the age of the oldest unacknowledged event while one is in flight', () => {
    const { monitor } = setting(100)
    const first = batch(90, 89)
    const second = batch(99, 92)
    for (const each of [first, second]) monitor.began(each)
    monitor.delivered(first)
    expect(monitor.lagMs).toBe(8_000)
    expect(monitor.figures).toMatchObject({ inFlightRecords: 1, inFlightBytes: 10, records: 1, state: 'running' })
    monitor.delivered(second)
    expect(monitor.lagMs).toBe(1_000)
  })

  test('does not wait for the position of an idle stream to be saved', () => {
    const { monitor } = setting(100)
    monitor.durable(at(40), 0)
    const idle = batch(95)
    monitor.began(idle)
    monitor.delivered(idle)
    expect(monitor.lagMs).toBe(5_000)
    expect(monitor.figures.durable?.position.timeMs).toBe(40_000)
  })
})

test('a failure shows itself, and what was in flight is forgotten', () => {
  const { monitor } = setting(100)
  monitor.began(batch(90, 89))
  monitor.enter('failed', new Configuration('SINK_UNAUTHORIZED', 'not allowed'))
  expect(monitor.figures).toMatchObject({ state: 'failed', inFlightBytes: 0, fault: { code: 'SINK_UNAUTHORIZED' } })
})

test('the error of a failed attempt stays visible while the next one starts, until it runs', () => {
  const { monitor } = setting(100)
  monitor.enter('retrying', new Configuration('SINK_UNAUTHORIZED', 'not allowed'))
  monitor.enter('starting')
  expect(monitor.figures).toMatchObject({ state: 'starting', fault: { code: 'SINK_UNAUTHORIZED' } })
  const idle = batch(95)
  monitor.began(idle)
  monitor.delivered(idle)
  expect(monitor.figures).toMatchObject({ state: 'idle', fault: undefined })
})

test('shows for how much of the time the broker made the sink wait', () => {
  let nowMs = 100_000
  const clock: Clock = { nowMs: () => nowMs, random: () => 0, sleep: async () => undefined }
  const monitor = new Monitor('orders', clock, silentMeter)
  monitor.doing('sink')
  monitor.throttled(400)
  nowMs += 1_000
  expect(monitor.figures).toMatchObject({ busy: { sink: 1 }, throttledRatio: 0.4 })
})

test('owes what was begun and no saved position covers, through failures too (G3)', () => {
  const { monitor } = setting(100)
  monitor.durable(at(10), 0)
  const records = batch(90, 89)
  monitor.began(records)
  monitor.enter('retrying', new Configuration('SINK_UNAUTHORIZED', 'not allowed'))
  expect(monitor.owes).toBe(true)
  monitor.began(records)
  monitor.delivered(records)
  expect(monitor.owes).toBe(true)
  monitor.durable(at(90), 0)
  expect(monitor.owes).toBe(false)
  monitor.began(batch(95))
  expect(monitor.owes).toBe(false)
})
