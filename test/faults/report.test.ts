import { describe, expect, test } from 'vitest'
import { type FaultReport, memoryLimitBytes, problemsOf, type SessionReport, summary } from './report.ts'

const kill: FaultReport = { name: 'daemon killed', bit: true, kills: 1, recoveriesMs: [900], limitMs: 10_000 }
const session: SessionReport = {
  mode: 'at-least-once',
  seed: 7,
  faults: [kill],
  violations: [],
  changes: 100,
  records: 120,
  duplicates: 20,
  starts: 2,
  daemonKills: 1,
  leftOut: 0,
  memoryPeakBytes: 200 << 20,
  unknownOutcomes: 1,
  loadPeak: 0.5,
  tookMs: 60_000,
}
const commit: FaultReport = { ...kill, name: 'killed: before the commit is sent' }
const slow: FaultReport = { ...kill, recoveriesMs: [10_040] }
const problems = (change: Partial<SessionReport>) => problemsOf([{ ...session, ...change }]).join('\n')

describe('a run is green', () => {
  test('where something was killed under traffic, something was repeated, and nothing was broken', () => {
    expect(problemsOf([session])).toEqual([])
    expect(problemsOf([{ ...session, mode: 'exactly-once', duplicates: 0, faults: [kill, commit] }])).toEqual([])
    const plain = { ...session, mode: 'without-transactions', duplicates: 0, leftOut: 5 }
    expect(problemsOf([plain])).toEqual([])
  })
  test('where a third of the faults met no work', () => {
    expect(problems({ faults: [kill, kill, { ...kill, bit: false }] })).toBe('')
  })
  test('where two recoveries took too long, or the median of more did not', () => {
    expect(problems({ faults: [slow, slow] })).toBe('')
    expect(problems({ faults: [slow, kill, kill] })).toBe('')
    expect(problems({ faults: [{ ...kill, recoveriesMs: [10_040, 900, 900] }] })).toBe('')
  })
})

describe('a run is not green', () => {
  test.each<[string, Partial<SessionReport>, RegExp]>([
    ['without any fault', { faults: [] }, /void.*nothing was killed/],
    ['where no kill met work', { faults: [{ ...kill, bit: false }] }, /void.*nothing was killed/],
    [
      'where only its name speaks of a kill',
      { faults: [{ ...kill, name: 'cursor killed', kills: 0 }] },
      /void.*nothing was killed/,
    ],
    ['at least once, without a duplicate', { duplicates: 0 }, /void.*at-least-once no duplicate/],
    ['with positions in files, without a duplicate', { mode: 'files', duplicates: 0 }, /void.*files no duplicate/],
    [
      'without transactions, and nothing left out of a replay',
      { mode: 'without-transactions' },
      /void: in mode without-transactions no replay ever left anything out/,
    ],
    [
      'where what the mode is there for met no work',
      { mode: 'exactly-once', duplicates: 0, faults: [kill, kill, { ...commit, bit: false }] },
      /^void: in mode exactly-once no fault of its own met work$/,
    ],
    [
      'where more than a third of the faults met no work',
      { faults: [kill, { ...kill, bit: false }] },
      /void: in mode at-least-once 1 of 2 faults met no work/,
    ],
    [
      'with a median recovery over its limit',
      { faults: [kill, slow, slow] },
      /^in mode at-least-once "daemon killed" took 10.0 s in the median of 3 times, allowed are 10.0 s$/,
    ],
    ['with a violation', { violations: ['G1: gone'] }, /at-least-once 7: G1: gone/],
    ['with too much memory', { memoryPeakBytes: memoryLimitBytes + 1 }, /G7/],
  ])('%s', (_name, change, expected) => {
    expect(problems(change)).toMatch(expected)
  })
  test('with a median recovery over its limit, of several in one fault', () => {
    const all = { ...kill, recoveriesMs: [10_040, 10_050, 900] }
    expect(problems({ faults: [all] })).toMatch(/took 10.0 s in the median of 3 times/)
  })
  test('with a median recovery over its limit, over all modes', () => {
    const elsewhere = { ...session, mode: 'exactly-once', faults: [slow, kill, commit] }
    expect(problemsOf([{ ...session, faults: [slow] }, elsewhere])).toHaveLength(1)
    expect(problemsOf([{ ...session, faults: [slow] }, elsewhere])[0]).toMatch(/^over all modes "daemon killed" took/)
  })
})

test('the summary names every kind, how often it met work, and its recovery', () => {
  const late = { ...kill, name: 'primary killed', recoveriesMs: [20_000], bit: false }
  const text = summary([session, { ...session, seed: 8, faults: [late, { ...late, recoveriesMs: [12_000] }] }])
  expect(text).toBe(`### at-least-once
Nothing broken in 2 deployments (seeds 7, 8) and 2 minutes:
- 3 faults, 1 of them under work; 1 kill under work; 4 starts of a daemon, 2 ended by SIGKILL
- 200 changes, 240 records, 40 duplicates, 0 left out of replays; 2 writes whose outcome had to be found out
- memory at most 200 MiB of 400 MiB
- met no work: primary killed

| fault          | times | under work | recovery, median | longest |        limit |
|----------------|------:|-----------:|-----------------:|--------:|-------------:|
| daemon killed  |     1 |          1 |            0.9 s |   0.9 s |       10.0 s |
| primary killed |     2 |          0 |           20.0 s |  20.0 s | 10.0 s, OVER |`)
})

test('the summary says first what is broken, and that the machine had other things to do', () => {
  const text = summary([{ ...session, violations: ['G1: gone'], loadPeak: 9 }])
  expect(text).toMatch(/^BROKEN: 1 violation in 1 deployment \(seed 7\) and 1 minute:/m)
  expect(text).toMatch(/THE MACHINE WAS BUSY, load 9.0 for each core/)
  expect(summary([session])).not.toMatch(/BUSY|BROKEN/)
})

test('the summary of several modes ends with all of it', () => {
  const storm = { ...kill, kills: 24, recoveriesMs: Array.from({ length: 24 }, () => 900) }
  const text = summary([session, { ...session, mode: 'files', faults: [storm, { ...storm, bit: false }] }])
  expect(text.split('### all of it')[1]).toBe(`
- 3 faults, 2 of them under work
- 25 kills under work; 4 starts of a daemon, 2 ended by SIGKILL
- 200 changes; 0 violations`)
})
