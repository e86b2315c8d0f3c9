import { expect, test } from 'vitest'
import { growthMbPerHour } from '../../bench/flat.ts'
import { plot } from '../../bench/plot.ts'
import type { Result } from '../../bench/results.ts'
import { median, quantile } from '../../bench/statistics.ts'
import { goalsTable, resultTables } from '../../bench/tables.ts'

const run = (connector: string, round: number, eventsPerS: number): Result => ({
  ...{ scenario: 'drain', connector, variant: 'tuned', round, complete: true, info: connector },
  figures: { eventsPerS, cpuPerM: 4.04, startS: 1.26 },
})

test('a table has a row for each connector, with medians and the ratio to the reference', () => {
  const text = resultTables([
    ...[run('mongo-kafka', 1, 10_000), run('mongo-kafka', 2, 20_000), run('mongo-kafka', 3, 30_000)],
    ...[run('mongo2kafka', 1, 40_000), run('mongo2kafka', 2, 90_000), run('mongo2kafka', 3, 120_000)],
  ])
  expect(text).toContain('events/s / mongo-kafka')
  expect(text).toMatch(/^\| mongo-kafka \| tuned \| 20,000 \| 4\.0 \| – \| – \| – \| 1\.3 \| – \| 1\.00 \|$/m)
  expect(text).toMatch(/^\| mongo2kafka \| tuned \| 90,000 \|.* 4\.00 \|$/m)
})

test('goals say whether they are met', () => {
  const goal = { text: 'p50', limit: 4.5, atLeast: false, unit: 'ms' }
  const text = goalsTable([
    { ...goal, measured: 4.5 },
    { ...goal, measured: 4.6 },
    { ...goal, measured: undefined },
  ])
  expect(text).toContain('| p50 | ≤ 4.5 ms | 4.50 ms | met |')
  expect(text).toContain('| p50 | ≤ 4.5 ms | 4.60 ms | **not met** |')
  expect(text).toContain('| p50 | ≤ 4.5 ms | – | not measured |')
})

test('bars are as long as their values are large, and text is escaped', () => {
  const bars = [
    { label: 'a<b', value: 1_000, ours: false },
    { label: 'us', value: 250, ours: true },
  ]
  const svg = plot('A & B', [{ title: 'rate', digits: 0, bars }])
  const lengths = [...svg.matchAll(/<rect class="(\w+)"[^>]* width="(\d+)"/g)].map(([, kind, length]) => [kind, length])
  expect(lengths).toEqual([
    ['bar', '510'],
    ['ours', '128'],
  ])
  expect(svg).toContain('A &amp; B')
  expect(svg).toContain('a&lt;b')
  expect(svg).toContain('>1,000</text>')
})

test('medians, quantiles and slopes', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(median([])).toBeNaN()
  expect(quantile([1, 2, 3, 4], 0.5)).toBe(3)
  expect(quantile([1, 2, 3, 4], 1)).toBe(4)
  const hour = 3_600_000
  const points = [0, 1, 2].map(hours => ({ atMs: hours * hour, rssMb: 100 + 7 * hours }))
  expect(growthMbPerHour(points)).toBeCloseTo(7)
})
