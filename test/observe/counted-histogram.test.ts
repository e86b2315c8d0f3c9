import fc from 'fast-check'
import { Histogram, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { CountedHistogram } from '../../src/observe/counted-histogram.ts'

const settings = { name: 'wait_seconds', help: 'How long\nit took.', labelNames: ['pipeline', 'kind'] }
const buckets = [0.25, 1, 64]

/** Multiples of 1/8: their sums are exact in whatever order they are added. */
const observation = fc.record({
  labels: fc.record(
    { pipeline: fc.constantFrom('a', 'b', 'with "quotes", \\ and\nlines'), kind: fc.constantFrom('x', 'y') },
    { requiredKeys: ['pipeline'] },
  ),
  value: fc.integer({ min: -16, max: 1_000 }).map(eighths => eighths / 8),
  times: fc.integer({ min: 1, max: 20 }),
})

describe('a histogram that counts several observations at once', () => {
  test("is printed exactly as prom-client's own for the same observations, one by one", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(observation, { maxLength: 30 }), async observations => {
        const registry = new Registry()
        const ours = new CountedHistogram({ ...settings, buckets }).register(registry)
        const oracleRegistry = new Registry()
        const oracle = new Histogram({ ...settings, buckets, registers: [oracleRegistry] })
        for (const { labels, value, times } of observations) {
          ours.observe(labels, value, times)
          for (let once = 0; once < times; once += 1) oracle.observe(labels, value)
        }
        expect(await registry.metrics()).toBe(await oracleRegistry.metrics())
      }),
    )
  })

  test('a value on a bound is inside its bucket, one beyond the last only in +Inf', async () => {
    const registry = new Registry()
    const histogram = new CountedHistogram({ ...settings, buckets }).register(registry)
    histogram.observe({ pipeline: 'a' }, 1, 5_000)
    histogram.observe({ pipeline: 'a' }, 65, 2)
    const text = await registry.metrics()
    expect(text).toContain('wait_seconds_bucket{le="0.25",pipeline="a"} 0\n')
    expect(text).toContain('wait_seconds_bucket{le="1",pipeline="a"} 5000\n')
    expect(text).toContain('wait_seconds_bucket{le="64",pipeline="a"} 5000\n')
    expect(text).toContain('wait_seconds_bucket{le="+Inf",pipeline="a"} 5002\n')
    expect(text).toContain('wait_seconds_sum{pipeline="a"} 5130\n')
    expect(text).toContain('wait_seconds_count{pipeline="a"} 5002\n')
  })

  test('a later change of the labels given does not change the series', async () => {
    const registry = new Registry()
    const histogram = new CountedHistogram({ ...settings, buckets }).register(registry)
    const labels = { pipeline: 'a' }
    histogram.observe(labels, 1, 1)
    labels.pipeline = 'b'
    expect(await registry.metrics()).toContain('wait_seconds_count{pipeline="a"} 1\n')
  })

  test('refuses labels that are not described, and numbers that are none', () => {
    const histogram = new CountedHistogram({ ...settings, buckets })
    expect(() => histogram.observe({ pipeline: 'a', documentKey: '1' }, 1, 1)).toThrow('documentKey')
    expect(() => histogram.observe({ pipeline: 'a' }, Number.NaN, 1)).toThrow('NaN is not a value')
    expect(() => histogram.observe({ pipeline: 'a' }, 1, -1)).toThrow('-1 is not a count')
    expect(() => histogram.observe({ pipeline: 'a' }, 1, 0.5)).toThrow('0.5 is not a count')
  })
})
