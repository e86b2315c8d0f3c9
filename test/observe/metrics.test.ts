import { describe, expect, test } from 'vitest'
import type { Labels } from '../../src/meter.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

const pipeline: Labels = { pipeline: 'orders' }

describe('the registry', () => {
  test('shows counters, gauges and the histogram under the prefix', async () => {
    const metrics = createMetrics({ version: '1.2.3' })
    metrics.meter.count('events_total', { ...pipeline, operation: 'insert' })
    metrics.meter.count('events_total', { ...pipeline, operation: 'insert' }, 4)
    metrics.meter.gauge('pipeline_lag_seconds', pipeline, 0.25)
    metrics.meter.observe('end_to_end_latency_seconds', pipeline, 0.004)
    metrics.meter.observe('end_to_end_latency_seconds', pipeline, 0.02, 5_000)
    const text = await metrics.text()
    expect(text).toContain('mongo2kafka_events_total{pipeline="orders",operation="insert"} 5\n')
    expect(text).toContain('mongo2kafka_pipeline_lag_seconds{pipeline="orders"} 0.25\n')
    expect(text).toContain('mongo2kafka_end_to_end_latency_seconds_bucket{le="0.0025",pipeline="orders"} 0\n')
    expect(text).toContain('mongo2kafka_end_to_end_latency_seconds_bucket{le="0.005",pipeline="orders"} 1\n')
    expect(text).toContain('mongo2kafka_end_to_end_latency_seconds_count{pipeline="orders"} 5001\n')
    expect(text).toContain(`mongo2kafka_build_info{version="1.2.3",node="${process.version}"} 1\n`)
    expect(text).toContain('process_resident_memory_bytes')
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
    expect(metrics.contentType).toContain('text/plain')
  })

  test('removes a series whose value is no longer known (G8)', async () => {
    const { meter, text } = createMetrics({ version: '1' })
    meter.gauge('pipeline_lag_seconds', pipeline, 3)
    meter.gauge('pipeline_lag_seconds', { pipeline: 'users' }, 4)
    meter.gauge('pipeline_lag_seconds', pipeline, undefined)
    meter.gauge('oplog_window_seconds', { member: 'never set' }, undefined)
    const shown = await text()
    expect(shown).not.toContain('pipeline_lag_seconds{pipeline="orders"}')
    expect(shown).toContain('pipeline_lag_seconds{pipeline="users"} 4\n')
  })

  test('refuses labels that are not described, so that no document can become one', () => {
    const { meter } = createMetrics({ version: '1' })
    expect(() => meter.count('events_total', { ...pipeline, documentKey: '1' })).toThrow('documentKey')
  })

  test('two registries share nothing', async () => {
    const one = createMetrics({ version: '1' })
    const other = createMetrics({ version: '1' })
    one.meter.count('bytes_total', pipeline, 7)
    expect(await other.text()).not.toContain('mongo2kafka_bytes_total{')
  })

  test('every metric has a help text and a unit in its name', async () => {
    const text = await createMetrics({ version: '1' }).text()
    const helps = [...text.matchAll(/^# HELP (mongo2kafka_\w+) (.+)$/gm)]
    expect(helps.length).toBeGreaterThan(15)
    for (const [, name, help] of helps) {
      expect(help, name).toMatch(/\.$/)
      expect(name).toMatch(/_(total|seconds|bytes|ratio|records|slots_configured|slots_owned|state|info|successful)$/)
    }
  })
})
