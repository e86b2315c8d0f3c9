import { expect, test } from 'vitest'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'

test('what came back is given again, to those it is large enough for', () => {
  const pool = new BufferPool()
  const small = pool.take(100)
  const large = pool.take(small.length + 1)
  expect(large.length).toBeGreaterThan(small.length)
  pool.give(small)
  expect(pool.retainedBytes).toBe(small.length)
  expect(pool.take(small.length + 1)).not.toBe(small)
  expect(pool.take(1)).toBe(small)
  expect(pool.retainedBytes).toBe(0)
  expect(pool.take(1)).not.toBe(small)
})

test('it keeps no more than it is told, and nothing very large', () => {
  const size = new BufferPool().take(1).length
  const pool = new BufferPool(2 * size)
  const taken = [pool.take(1), pool.take(1), pool.take(1)]
  for (const buffer of taken) pool.give(buffer)
  expect(pool.retainedBytes).toBe(2 * size)
  const generous = new BufferPool(1 << 30)
  const huge = generous.take(50 << 20)
  expect(huge.length).toBeGreaterThanOrEqual(50 << 20)
  generous.give(huge)
  expect(generous.retainedBytes).toBe(0)
})

test('after a burst of large batches there is room for the small ones that follow', () => {
  const large = 1 << 20
  const pool = new BufferPool(4 * large)
  for (const buffer of Array.from({ length: 4 }, () => pool.take(large))) pool.give(buffer)
  expect(pool.retainedBytes).toBe(4 * large)
  const small = pool.take(1)
  pool.give(small)
  expect(pool.take(1)).toBe(small)
  pool.give(small)
  expect(pool.retainedBytes).toBe(3 * large + small.length)
})

test('a size that is wanted again takes nothing away from one that was wanted later', () => {
  const large = 1 << 20
  const pool = new BufferPool(2 * large)
  const [first, second, third] = [pool.take(large), pool.take(large), pool.take(large)]
  const small = pool.take(1)
  pool.give(small)
  pool.give(first)
  pool.give(second)
  pool.give(third)
  expect(pool.take(1)).toBe(small)
})
