import { describe, expect, test } from 'vitest'
import { keepingJoins, takeOver, takeOverLimitMs } from './take-over.ts'

const seeds = 60
const limit = { timeout: 240_000 } // A safety net, on a machine that does many other things.

describe('slots of a worker that died, where the connections of the other had died without a word', limit, () => {
  test('are taken over within the session and three seconds', async () => {
    for (let seed = 0; seed < seeds; seed++) {
      expect(await takeOver(seed), `seed ${seed}`).toBeLessThanOrEqual(takeOverLimitMs)
    }
  })

  test('are not, where joins go on over the connection of the last one', async () => {
    const times: number[] = []
    for (let seed = 0; seed < 10; seed++) times.push(await takeOver(seed, keepingJoins))
    expect(Math.max(...times)).toBeGreaterThan(takeOverLimitMs)
  })
})
