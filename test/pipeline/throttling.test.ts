import { expect, test } from 'vitest'
import { type Meter, silentMeter } from '../../src/meter.ts'
import { withThrottling } from '../../src/pipeline/throttling.ts'

test("the monitor of the pipeline is told how long the broker makes it wait, and Prometheus' figures stay", () => {
  const counted: unknown[] = []
  const meter: Meter = { ...silentMeter, count: (...call) => counted.push(call) }
  const told: string[] = []
  const monitorOf = (name: string) =>
    name === 'unknown' ? undefined : { throttled: (ms: number) => told.push(`${name} ${ms}`) }
  const wrapped = withThrottling(meter, monitorOf)
  wrapped.count('sink_throttled_seconds_total', { pipeline: 'users' }, 0.25)
  wrapped.count('sink_throttled_seconds_total', { pipeline: 'unknown' }, 1)
  wrapped.count('sink_retries_total', { pipeline: 'users' })
  expect(told).toEqual(['users 250'])
  expect(counted).toEqual([
    ['sink_throttled_seconds_total', { pipeline: 'users' }, 0.25],
    ['sink_throttled_seconds_total', { pipeline: 'unknown' }, 1],
    ['sink_retries_total', { pipeline: 'users' }, undefined],
  ])
})
