import { describe, expect, test } from 'vitest'
import { advice, slotsText, workersView } from '../../src/admin/workers.ts'
import type { Stage } from '../../src/busy.ts'
import type { PipelineStatus, WorkersStatus } from '../../src/status.ts'
import { alone, status } from './statuses.ts'

const shared: WorkersStatus = {
  coordination: 'kafka',
  slots: 4,
  name: 'pod-0',
  state: 'working',
  owned: [0, 2],
  workers: [
    { name: 'pod-0', owned: [0, 2] },
    { name: 'pod-1', owned: [1, 3], busy: { source: 0.1, encode: 0.2, sink: 0.3 } },
  ],
}

function limited(stage: Stage, ratio = 0.9): PipelineStatus {
  return { ...status('orders', 'running'), limitedBy: { stage, ratio } }
}

describe('what would help', () => {
  test.each([
    ['nothing limits', shared, [status('orders', 'idle')], /^Nothing: there are fewer changes/],
    ['a little is no limit', shared, [limited('sink', 0.2)], /^Nothing: there are fewer changes/],
    ['a standby', { ...shared, state: 'standby', owned: [] }, [limited('sink')], /^Nothing: this worker is a standby/],
    ['the CPU, with slots to share', shared, [limited('encode')], /^More workers: .* 4 slots are shared by 2/],
    [
      'the CPU, alone with slots',
      { ...alone, slots: 4, owned: [0, 1, 2, 3] },
      [limited('encode')],
      /set workers.coord/,
    ],
    ['the CPU, with one slot', alone, [limited('encode')], /^A faster core: .* with 1 slot no further worker/],
    ['the CPU, a slot each', { ...shared, slots: 2, owned: [0] }, [limited('encode')], /^A faster core: /],
    ['the source', shared, [limited('source')], /^A faster MongoDB, .* pipeline orders waits for the source/],
    ['the sink', shared, [limited('sink')], /^A faster target or more partitions: pipeline orders/],
    ['a quota', shared, [{ ...limited('sink'), throttledRatio: 0.3 }], /^A higher quota: /],
    ['the worst of several', shared, [limited('sink', 0.6), limited('encode', 0.9)], /^More workers/],
  ] as const)('%s', (_name, workers, statuses, sentence) => {
    expect(advice(workers, statuses)).toMatch(sentence)
    expect(advice(workers, statuses)).toMatch(/\.$/)
  })
})

test('shows each worker once, this one with the figures of its busiest pipelines', () => {
  const [a, b] = [status('a', 'running'), { ...status('b', 'running'), busy: { source: 0, encode: 0.5, sink: 0.01 } }]
  expect(workersView(shared, [a, b]).workers).toEqual([
    { name: 'pod-0', owned: [0, 2], busy: { source: 0.25, encode: 0.5, sink: 0.0625 } },
    { name: 'pod-1', owned: [1, 3], busy: { source: 0.1, encode: 0.2, sink: 0.3 } },
  ])
  expect(workersView(alone, []).workers).toEqual([
    { name: 'this worker', owned: [0], busy: { source: 0, encode: 0, sink: 0 } },
  ])
})

test.each([
  [[], 'none'],
  [[3], '3'],
  [[2, 0, 1], '0-2'],
  [[0, 1, 5, 7, 8], '0-1, 5, 7-8'],
])('slots %j read as %s', (slots, text) => {
  expect(slotsText(slots)).toBe(text)
})
