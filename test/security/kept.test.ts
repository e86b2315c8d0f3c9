import { expect, test } from 'vitest'
import { KeptShare } from './kept.ts'

function after(ratios: readonly number[]): { decided: boolean; kept: boolean; median: number } {
  const share = new KeptShare(0.9)
  for (const ratio of ratios) share.add(100 * ratio, 100)
  return { decided: share.isDecided, kept: share.isKept, median: share.median }
}

const repeat = (times: number, ...ratios: readonly number[]) => Array.from({ length: times }, () => ratios).flat()

test('six pairs that agree decide, in either direction, and five do not', () => {
  expect(after(repeat(5, 0.95)).decided).toBe(false)
  expect(after(repeat(6, 0.95))).toEqual({ decided: true, kept: true, median: 0.95 })
  expect(after(repeat(6, 0.85))).toEqual({ decided: true, kept: false, median: 0.85 })
})

test('pairs that contradict each other decide nothing; a clear majority does', () => {
  expect(after(repeat(20, 1.2, 0.5)).decided).toBe(false)
  expect(after(repeat(6, 0.97, 0.98, 0.6))).toMatchObject({ decided: true, kept: true })
  expect(after(repeat(6, 0.7, 0.8, 1.4))).toMatchObject({ decided: true, kept: false })
})

test('one pair that a neighbour has spoiled is one vote, however far it is off', () => {
  const { decided, kept, median } = after([0.01, ...repeat(7, 0.96)])
  expect([decided, kept]).toEqual([true, true])
  expect(median).toBeCloseTo(0.96)
})
