import { describe, expect, it } from 'vitest'
import { ahead } from '../../src/source/ahead.ts'

describe('reading ahead', () => {
  it('fetches one value while the consumer has the one before, and no more', async () => {
    const fetched: number[] = []
    const source = async function* () {
      for (let i = 0; i < 5; i++) {
        fetched.push(i)
        yield i
      }
    }
    const seen: number[] = []
    for await (const value of ahead(source(), new AbortController())) {
      seen.push(value)
      await new Promise(setImmediate)
      expect(fetched.at(-1)).toBe(Math.min(value + 1, 4))
    }
    expect(seen).toEqual([0, 1, 2, 3, 4])
  })

  it('gives a value as soon as it is there, and a failure only after the values before it', async () => {
    const failure = new Error('the second')
    const source = async function* () {
      yield 'first'
      await Promise.resolve()
      throw failure
    }
    const reading = ahead(source(), new AbortController())
    expect(await reading.next()).toEqual({ done: false, value: 'first' })
    await new Promise(setImmediate)
    await expect(reading.next()).rejects.toBe(failure)
  })

  it('ends the source that waits when the consumer leaves', async () => {
    const stop = new AbortController()
    const ended: string[] = []
    const source = async function* () {
      try {
        yield 1
        await new Promise(resolve => stop.signal.addEventListener('abort', resolve, { once: true }))
        ended.push('woken')
      } finally {
        ended.push('ended')
      }
    }
    for await (const value of ahead(source(), stop)) {
      expect(value).toBe(1)
      break
    }
    expect(ended).toEqual(['woken', 'ended'])
  })
})
