import fc from 'fast-check'
import { expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'
import { backOffMs } from '../src/retry.ts'

const withChance = (chance: number) => ({ ...systemClock, random: () => chance })

test('doubles from the initial wait to the maximum', () => {
  const backOff = { initialMs: 100, maxMs: 1_000 }
  const waits = [1, 2, 3, 4, 5, 6].map(attempt => backOffMs(backOff, attempt, withChance(1)))
  expect(waits).toEqual([100, 200, 400, 800, 1_000, 1_000])
})

test('lies between half and all of its ceiling, at any attempt', () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const ms = fc.integer({ min: 1, max: 1e6 })
  fc.assert(
    fc.property(ms, ms, fc.integer({ min: 1, max: 1e9 }), chance, (initialMs, maxMs, attempt, random) => {
      const wait = backOffMs({ initialMs, maxMs }, attempt, withChance(random))
      const ceiling = backOffMs({ initialMs, maxMs }, attempt, withChance(1))
      expect(ceiling).toBeLessThanOrEqual(maxMs)
      expect(wait).toBeGreaterThanOrEqual(ceiling / 2)
      expect(wait).toBeLessThanOrEqual(ceiling)
    }),
  )
})
