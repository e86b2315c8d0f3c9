import { expect, test } from 'vitest'
import { partitionOrder } from '../../src/cli/partition-order.ts'

const pipelines = (...partitions: (number | undefined)[]) =>
  partitions.map((count, i) => ({ name: `${i}`, partitions: count }))

/** A day of oplog, of which so much was looked at. */
const seen = { stretches: 128, windowMs: 86_400_000 }

test('the busiest time that was measured decides, and says what to order', () => {
  const rate = { averageBytesPerSecond: 500_000, peakBytesPerSecond: 4_000_000, ...seen }
  expect(partitionOrder(rate, 1_000_000, pipelines(2, 1))).toEqual({
    text: 'MongoDB wrote 0.5 MB/s on average over the 24 hours of its oplog, and 4 MB/s in the busiest ten seconds of the last minute and of 128 samples before it; a partition takes 0.9 MB/s: order at least 5 in all if everything goes here; the pipelines name 3',
    isTooFew: true,
  })
  expect(partitionOrder(rate, 1_000_000, pipelines(5)).isTooFew).toBe(false)
})

test('the average counts where it is higher, or all that is known', () => {
  const busier = { averageBytesPerSecond: 1_900_000, peakBytesPerSecond: 0, ...seen }
  expect(partitionOrder(busier, 1_000_000, pipelines(2)).text).toContain('order at least 3')
  const unknown = { averageBytesPerSecond: 100, peakBytesPerSecond: undefined, ...seen }
  expect(partitionOrder(unknown, 1_000_000, pipelines(2)).text).toMatch(
    /^MongoDB wrote 0 MB\/s on average over the 24 hours of its oplog; /,
  )
})

test('where partitions are left to the target, or the oplog cannot be seen, nothing is too few', () => {
  const rate = { averageBytesPerSecond: 0, peakBytesPerSecond: 9_000_000, ...seen }
  expect(partitionOrder(rate, 1_000_000, pipelines(2, undefined)).isTooFew).toBe(false)
  expect(partitionOrder(rate, 1_000_000, pipelines(undefined)).text).toContain('the pipelines name no partitions')
  const blind = partitionOrder(undefined, 1_000_000, pipelines(1))
  expect(blind).toEqual({ text: expect.stringContaining('the oplog cannot be measured'), isTooFew: false })
})
