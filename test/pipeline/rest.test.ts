import { expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { Rest } from '../../src/pipeline/rest.ts'

const long = 3_600_000

test('is over with its time, or when it is woken, and says which', async () => {
  const rest = new Rest(systemClock, new AbortController().signal)
  rest.wake() // Nobody rests: the next one is not cut short.
  expect(await rest.for(1)).toBe(false)
  const resting = rest.for(long)
  rest.wake()
  expect(await resting).toBe(true)
  expect(await rest.for(1)).toBe(false)
})

test('a hurry wakes it', async () => {
  const hurry = new AbortController()
  const resting = new Rest(systemClock, hurry.signal).for(long)
  hurry.abort()
  expect(await resting).toBe(true)
})
