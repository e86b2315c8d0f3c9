import { expect, test } from 'vitest'
import { type Advice, adviceText, Demand } from '../../../src/sink/kafka/demand.ts'

function measured() {
  const told: Advice[] = []
  const clock = { now: 0, nowMs: () => clock.now }
  const demand = new Demand(1_000_000, clock, advice => told.push(advice))
  demand.know('t', 2)
  /** Sends `perSecond` in ten batches a second, each of which waits. */
  const run = (seconds: number, perSecond: number, waitedMs = 0) => {
    for (let tick = 0; tick < 10 * seconds; tick++) {
      demand.add('t', perSecond / 10, waitedMs)
      clock.now += 100
    }
  }
  return { told, run, demand }
}

test('nothing is told while the partitions take what comes', () => {
  const { told, run, demand } = measured()
  run(60, 1_700_000)
  demand.add('unknown', 9_000_000, 0)
  expect(told).toEqual([])
})

test('a peak of ten seconds above what the partitions take is told once, and a higher one again', () => {
  const { told, run } = measured()
  run(11, 3_000_000)
  run(60, 3_000_000)
  expect(told).toEqual([
    { topic: 't', partitions: 2, neededPartitions: 4, peakBytesPerSecond: 3_000_000, isHeldBack: false },
  ])
  run(21, 6_300_000)
  expect(told.map(({ neededPartitions }) => neededPartitions)).toEqual([4, 7])
})

test('where batches wait half of the time, the rate is no measure of what is wanted: twice as many', () => {
  const { told, run } = measured()
  run(11, 1_700_000, 150)
  expect(told).toMatchObject([{ partitions: 2, neededPartitions: 4, isHeldBack: true }])
  const [advice] = told
  expect(advice && adviceText(advice, false)).toBe(
    'topic t was given 1.7 MB/s, and more is waiting: its 2 partitions are too few; order a new one of at least 4, for their number is fixed when it is created',
  )
  expect(advice && adviceText({ ...advice, isHeldBack: false }, true)).toContain('at its peak: its 2 partitions')
})
