import { describe, expect, test } from 'vitest'
import { type FaultReport, memoryLimitBytes, problemsOf, type SessionReport, summary } from './report.ts'

const kill: FaultReport = { name: 'daemon killed', bit: true, recoveryMs: 900, limitMs: 10_000 }
const session: SessionReport = {
  mode: 'at-least-once',
  seed: 7,
  faults: [kill],
  violations: [],
  changes: 100,
  records: 120,
  duplicates: 20,
  starts: 2,
  memoryPeakBytes: 200 << 20,
  unknownOutcomes: 1,
  tookMs: 60_000,
}
const problems = (change: Partial<SessionReport>) => problemsOf([{ ...session, ...change }]).join('\n')

describe('a run is green', () => {
  test('where something was killed under traffic, something was repeated, and nothing was broken', () => {
    expect(problemsOf([session])).toEqual([])
    expect(problemsOf([{ ...session, mode: 'exactly-once', duplicates: 0 }])).toEqual([])
  })
})

describe('a run is not green', () => {
  test.each<[string, Partial<SessionReport>, RegExp]>([
    ['without any fault', { faults: [] }, /void.*nothing was killed/],
    ['where no kill met work', { faults: [{ ...kill, bit: false }] }, /void.*nothing was killed/],
    ['at least once, without a duplicate', { duplicates: 0 }, /void.*no duplicate/],
    ['with a violation', { violations: ['G1: gone'] }, /at-least-once 7: G1: gone/],
    ['with too much memory', { memoryPeakBytes: memoryLimitBytes + 1 }, /G7/],
  ])('%s', (_name, change, expected) => {
    expect(problems(change)).toMatch(expected)
  })
})

test('the summary names every kind, how often it bit, and its recovery', () => {
  const slow = { ...kill, name: 'primary killed', recoveryMs: 20_000, bit: false }
  const text = summary([session, { ...session, faults: [slow, { ...slow, recoveryMs: 12_000 }] }])
  expect(text).toMatch(/at-least-once: 2 deployments, 3 faults, 4 starts/)
  expect(text).toMatch(/daemon killed +1, bit +1; recovery median 0.9 s/)
  expect(text).toMatch(/primary killed +2, bit +0; recovery median 20.0 s, most 20.0 s.*OVER ITS LIMIT/)
})
