import { describe, expect, test } from 'vitest'
import { advice, slotsText, workersView } from '../../src/admin/workers.ts'
import type { BusyRatios, Stage } from '../../src/busy.ts'
import type { PipelineStatus, WorkersStatus } from '../../src/status.ts'
import { alone, failedStatus, status } from './statuses.ts'

const shared: WorkersStatus = {
  coordination: 'kafka',
  slots: 4,
  name: 'pod-0',
  state: 'working',
  owned: [0, 2],
  workers: [
    { name: 'pod-0', owned: [0, 2] },
    { name: 'pod-1', owned: [1, 3], busy: { source: 0.1, encode: 0.2, sink: 0.1 } },
  ],
}

function limited(stage: Stage, ratio = 0.9): PipelineStatus {
  return { ...status('orders', 'running'), limitedBy: { stage, ratio } }
}

/** The same workers, of which the other one has said how busy it is. */
function toldOf(busy: BusyRatios): WorkersStatus {
  return { ...shared, workers: shared.workers.map(worker => (worker.name === 'pod-1' ? { ...worker, busy } : worker)) }
}

describe('what would help', () => {
  test.each([
    ['nothing limits', shared, [status('orders', 'idle')], /^Nothing: there are fewer changes/],
    ['a standby', { ...shared, state: 'standby', owned: [] }, [limited('sink')], /^Nothing: this worker is a standby/],
    ['a start', { ...shared, state: 'joining', owned: [] }, [], /^Not known yet: this worker is still joining/],
    ['the end', { ...shared, state: 'stopped', owned: [] }, [], /^Nothing: this worker has stopped/],
    [
      'the CPU, with slots to share',
      shared,
      [limited('encode')],
      /^More workers: .* pipeline orders, and the 4 slots are shared by 2; start more/,
    ],
    [
      'the CPU, alone with slots',
      { ...alone, slots: 4, owned: [0, 1, 2, 3] },
      [limited('encode')],
      /shared by 1; set workers.coord/,
    ],
    [
      'the CPU, by ordinals',
      { ...shared, coordination: 'static' },
      [limited('encode')],
      /shared by 2; raise workers.replicas/,
    ],
    [
      'the CPU, with one slot',
      alone,
      [limited('encode')],
      /^A faster core: .* no further worker could take a share: there is 1 slot\.$/,
    ],
    [
      'the CPU, a slot each',
      { ...shared, slots: 2, owned: [0] },
      [limited('encode')],
      /^A faster core: .* has 1 of the 2 slots\.$/,
    ],
    ['the source', shared, [limited('source')], /^A faster MongoDB, .* pipeline orders waits for the source/],
    ['the sink', shared, [limited('sink')], /^A faster target or more partitions: pipeline orders/],
    ['a quota', shared, [{ ...limited('sink'), throttledRatio: 0.3 }], /^A higher quota, or more partitions where/],
    [
      'a quota that is hardly felt',
      shared,
      [{ ...limited('sink'), throttledRatio: 0.05 }],
      /^A faster target or more partitions/,
    ],
    ['no stage alone, and little idle time', shared, [limited('sink', 0.35)], /^A faster target or more partitions/],
    ['the worst of several', shared, [limited('sink', 0.6), limited('encode', 0.9)], /^More workers/],
    [
      'the CPU of another worker',
      toldOf({ source: 0.1, encode: 0.8, sink: 0.1 }),
      [status('orders', 'idle')],
      /^More workers: the CPU is what limits worker pod-1, /,
    ],
    [
      'the sink of another worker',
      toldOf({ source: 0, encode: 0.1, sink: 0.8 }),
      [],
      /^A faster target or more partitions: worker pod-1 waits/,
    ],
    [
      'this worker before another',
      toldOf({ source: 0, encode: 0.1, sink: 0.8 }),
      [limited('source')],
      /^A faster MongoDB/,
    ],
    [
      'what has failed, first',
      shared,
      [limited('encode'), { ...status('a', 'retrying') }, failedStatus],
      /^The remedy of pipeline bad first: it has failed with SINK_REJECTED\.$/,
    ],
    [
      'what is tried again',
      shared,
      [limited('encode'), status('a', 'retrying')],
      /^The remedy of pipeline a first: it tries again and again\.$/,
    ],
  ] as const)('%s', (_name, workers, statuses, sentence) => {
    expect(advice(workers, statuses)).toMatch(sentence)
    expect(advice(workers, statuses)).toMatch(/\.$/)
  })
})

test('shows each worker once, this one with the figures of its busiest pipeline', () => {
  const [a, b] = [status('a', 'running'), { ...status('b', 'running'), busy: { source: 0, encode: 0.5, sink: 0.01 } }]
  expect(workersView(shared, [a, b]).workers).toEqual([
    { name: 'pod-0', owned: [0, 2], busy: { source: 0, encode: 0.5, sink: 0.01 } },
    { name: 'pod-1', owned: [1, 3], busy: { source: 0.1, encode: 0.2, sink: 0.1 } },
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
