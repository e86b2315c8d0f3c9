import { expect, test } from 'vitest'
import { sharesOf } from '../../bench/latencies.ts'

test('a record has the time of the write that it came with, in whatever order records arrive', () => {
  const writes = [
    [1_000, 3_000],
    [11_000, 19_000],
  ] as const
  const arrivals = [
    [11_004, 24_004],
    [1_001, 5_001],
    [1_002, 6_002],
  ] as const
  const shares = sharesOf(arrivals, writes)
  expect(shares.p50Ms).toBe(5)
  expect(shares.maxMs).toBe(13)
  expect(shares.writeP50Ms).toBe(2)
  expect(shares.writeP99Ms).toBe(8)
  expect(shares.afterP50Ms).toBeCloseTo(3.002)
  expect(shares.afterP99Ms).toBeCloseTo(5.004)
})

test('a write counts as often as it has records, and a record may come before its acknowledgement', () => {
  const slow = Array.from({ length: 98 }, (_, i) => [2_000 + i, 4_000] as const)
  const shares = sharesOf(
    [[1_000, 2_000], [1_001, 2_001], ...slow],
    [
      [1_000, 3_000],
      [2_000, 9_000],
    ],
  )
  expect(shares.writeP50Ms).toBe(7)
  expect(shares.afterP50Ms).toBe(-5)
  expect(shares.p99Ms).toBeCloseTo(2)
})
