import { expect, test } from 'vitest'
import { type RecordBlock, RecordBlocks } from '../../src/encode/record-block.ts'

const kib = 1 << 10

/** A block whose memory has grown to hold `bytes`. */
function grown(block: RecordBlock, bytes: number): RecordBlock {
  block.out.ensure(bytes)
  return block
}

test('a block that came back is given again, empty', () => {
  const blocks = new RecordBlocks()
  const block = grown(blocks.take(), 100 * kib)
  const { length } = block.bytes
  block.out.length = 5
  block.release()
  expect(blocks.take()).toBe(block)
  expect(block.bytes.length).toBe(length)
  expect(block.out.length).toBe(0)
  expect(blocks.take()).not.toBe(block)
})

test('blocks that a burst made large leave room for the many small ones after it', () => {
  const blocks = new RecordBlocks(1_024 * kib)
  const large = Array.from({ length: 8 }, () => grown(blocks.take(), 100 * kib))
  for (const block of large) block.release()
  const rounds = Array.from({ length: 10 }, () => {
    const taken = Array.from({ length: 20 }, () => blocks.take())
    for (const block of taken) block.release()
    return taken
  })
  expect(new Set(rounds.at(-1))).toEqual(new Set(rounds.at(-2)))
})

test('idle blocks hold no more than the limit', () => {
  const blocks = new RecordBlocks(100 * kib)
  const taken = Array.from({ length: 10 }, () => blocks.take())
  for (const block of taken) block.release()
  const kept = Array.from({ length: 10 }, () => blocks.take()).filter(block => taken.includes(block))
  expect(kept.length).toBeGreaterThan(0)
  expect(kept.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThanOrEqual(100 * kib)
})

test('what has idled longest goes first', () => {
  const size = new RecordBlocks().take().bytes.length
  const blocks = new RecordBlocks(2 * size)
  const taken = [blocks.take(), blocks.take(), blocks.take()]
  for (const block of taken) block.release()
  const again = new Set([blocks.take(), blocks.take(), blocks.take()])
  expect(taken.map(block => again.has(block))).toEqual([false, true, true])
})
