import { expect, test } from 'vitest'
import { interpolate, type Sample } from '../../bench/sampler.ts'

const sample = (atMs: number, connector: number): Sample => ({
  ...{ atMs, connector, mongod: 0, broker: 0, machine: 0, harness: 0 },
})

test('a figure between two samples lies on the line through them', () => {
  const samples = [sample(1_000, 2), sample(2_000, 4), sample(3_000, 4)]
  expect(interpolate(samples, 1_500, 'connector')).toBe(3)
  expect(interpolate(samples, 2_000, 'connector')).toBe(4)
  expect(interpolate(samples, 2_900, 'connector')).toBe(4)
})

test('outside of the samples it is that of the nearest', () => {
  const samples = [sample(1_000, 2), sample(2_000, 4)]
  expect(interpolate(samples, 0, 'connector')).toBe(2)
  expect(interpolate(samples, 9_000, 'connector')).toBe(4)
  expect(interpolate([], 0, 'connector')).toBeNaN()
})
