import { expect, test } from 'vitest'
import { goals, isMet } from '../../bench/goals.ts'
import type { Result } from '../../bench/results.ts'

const drain = (connector: string, round: number, eventsPerS: number, complete = true): Result => ({
  ...{ scenario: 'drain', connector, variant: 'at-least-once', round, complete, info: connector },
  figures: { eventsPerS, cpuPerM: 4, peakRssMb: 150 + round },
})

function goal(results: readonly Result[], text: string) {
  const found = goals(results).find(candidate => candidate.text === text)
  if (!found) throw new RangeError(text)
  return found
}

test('ratios are taken within rounds, and their median counts', () => {
  const results = [
    ...[drain('mongo-kafka', 1, 10), drain('mongo-kafka', 2, 20), drain('mongo-kafka', 3, 5)],
    ...[drain('mongo2kafka', 1, 50), drain('mongo2kafka', 2, 80), drain('mongo2kafka', 3, 15)],
  ]
  expect(goal(results, 'drain: times mongo-kafka').measured).toBe(4)
  expect(isMet(goal(results, 'drain: times mongo-kafka'))).toBe(true)
})

test('a run that did not bring everything counts nowhere', () => {
  const results = [drain('mongo-kafka', 1, 10), drain('mongo2kafka', 1, 50, false)]
  expect(goal(results, 'drain: times mongo-kafka').measured).toBeUndefined()
})

test('memory is judged by its worst round', () => {
  const results = [drain('mongo2kafka', 1, 50), drain('mongo2kafka', 60, 50)]
  expect(goal(results, 'drain: peak RSS').measured).toBe(210)
  expect(isMet(goal(results, 'drain: peak RSS'))).toBe(false)
})

test('a hundred pipelines are compared with the CPU of connector and mongod together', () => {
  const run = (variant: string, cpuPerM: number, mongodPerM: number): Result => ({
    ...{ scenario: 'pipelines', connector: 'mongo2kafka', variant, round: 1, complete: true, info: '' },
    figures: { cpuPerM, mongodPerM },
  })
  const results = [run('one', 4, 6), run('hundred', 5, 6)]
  expect(goal(results, 'a hundred pipelines, of the CPU of one (with mongod)').measured).toBeCloseTo(1.1)
})

test('exactly-once is compared with at-least-once, and neither stands for the other', () => {
  const exactly = { ...drain('mongo2kafka', 1, 45), variant: 'exactly-once' }
  const ofFour = { ...drain('mongo2kafka', 1, 35), variant: 'exactly-once, four slots' }
  const results = [drain('mongo-kafka', 1, 10), drain('mongo2kafka', 1, 50), exactly, ofFour]
  expect(goal(results, 'exactly-once: share of at-least-once').measured).toBe(0.9)
  const shareOfFour = goal(results, 'exactly-once, four slots: share of at-least-once')
  expect([shareOfFour.measured, isMet(shareOfFour)]).toEqual([0.7, false])
  expect(goal(results, 'drain: times mongo-kafka').measured).toBe(5)
})

test('what was not measured is neither met nor missed', () => {
  expect(goals([]).map(isMet)).toEqual(goals([]).map(() => undefined))
})
