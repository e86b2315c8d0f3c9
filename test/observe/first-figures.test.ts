import { expect, test } from 'vitest'
import { reportPipeline, reportWorker } from '../../src/observe/first-figures.ts'
import { createMetrics } from '../../src/observe/metrics.ts'

test('counters that alerts ask for are there before their first increment', async () => {
  const { meter, text } = createMetrics({ version: '1' })
  reportWorker(meter, 16)
  reportPipeline(meter, 'orders')
  const lines = (await text()).split('\n').filter(line => /^mongo2kafka_(slots|source|records|sink|dead)/.test(line))
  expect(lines.sort()).toEqual([
    'mongo2kafka_dead_letters_total{pipeline="orders",reason="oversize"} 0',
    'mongo2kafka_dead_letters_total{pipeline="orders",reason="poison"} 0',
    'mongo2kafka_records_total{pipeline="orders",outcome="acknowledged"} 0',
    'mongo2kafka_sink_retries_total{pipeline="orders"} 0',
    'mongo2kafka_sink_throttled_seconds_total{pipeline="orders"} 0',
    'mongo2kafka_slots_configured 16',
    'mongo2kafka_slots_owned 0',
    'mongo2kafka_source_history_lost_total 0',
  ])
})

test('a pipeline that comes back after a reload goes on counting', async () => {
  const { meter, text } = createMetrics({ version: '1' })
  reportPipeline(meter, 'orders')
  meter.count('dead_letters_total', { pipeline: 'orders', reason: 'poison' }, 2)
  reportPipeline(meter, 'orders')
  expect(await text()).toContain('mongo2kafka_dead_letters_total{pipeline="orders",reason="poison"} 2\n')
})
