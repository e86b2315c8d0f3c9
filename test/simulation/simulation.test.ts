import { describe, expect, test } from 'vitest'
import { atLeastOnceMutants } from './mutants-at-least-once.ts'
import { exactlyOnceMutants } from './mutants-exactly-once.ts'
import { faultMutants } from './mutants-faults.ts'
import { mongoMutants } from './mutants-mongo.ts'
import { targetMutants } from './mutants-targets.ts'
import { firstCaught, mischiefsOf, runSeeds, scenarios } from './plans.ts'
import { simulate } from './simulate.ts'

const seedsOfEach = 200
const seedsForMutants = 20_000
const limit = { timeout: 240_000 } // A safety net, on a machine that does many other things.

describe('the whole pipeline under seeded schedules (G1, G2, G3, G4, G7)', limit, () => {
  test.each(Object.entries(scenarios))('%s: several mischiefs in one run', async (_name, scenario) => {
    const { duplicates } = await runSeeds(scenario, 0, seedsOfEach)
    if (scenario.delivery === 'exactly-once') expect(duplicates).toBe(0)
    else expect(duplicates, 'no run bit: nothing was ever replayed').toBeGreaterThan(0)
  })

  test.each(Object.entries(scenarios))('%s: every mischief at every call', async (_name, scenario) => {
    const { calls } = await simulate(1, scenario)
    for (const mischief of mischiefsOf(scenario)) {
      for (let at = 0; at < calls.length; at++) {
        const { violations } = await simulate(1, scenario, new Map([[at, mischief]]))
        expect(violations, `${mischief} at call ${at}, ${calls[at]}`).toEqual([])
      }
    }
  })

  test('a process that is stopped at any call after an election, while the new primary is behind', async () => {
    const scenario = scenarios['at-least-once, one daemon']!
    for (const [seed, election] of [
      [10, 46],
      [24, 34],
    ] as const) {
      for (let at = election + 1; at < election + 40; at++) {
        const plan = new Map([[election, 'election'] as const, [at, 'freeze'] as const])
        expect((await simulate(seed, scenario, plan)).violations, `seed ${seed}, freeze at call ${at}`).toEqual([])
      }
    }
  })

  test('the calls at which something goes wrong are all that there are', async () => {
    const names = new Set<string>()
    for (const scenario of Object.values(scenarios)) {
      for (let seed = 0; seed < 5; seed++) for (const name of (await simulate(seed, scenario)).calls) names.add(name)
    }
    expect([...names].sort()).toEqual([
      'clock.sleep',
      'lease.confirm',
      'sink.add',
      'sink.close',
      'sink.commit',
      'sink.open',
      'sink.partitions',
      'sink.send',
      'source.now',
      'source.open',
      'source.read',
      'source.time',
      'store.load',
      'store.mark',
      'store.save',
      'store.start',
      'target.end',
      'target.read',
    ])
  })

  test('the same seed gives the same run', async () => {
    const scenario = scenarios['exactly-once, workers']!
    const plan = new Map([[20, 'freeze'] as const, [40, 'crash'] as const])
    const [first, second] = [await simulate(3, scenario, plan), await simulate(3, scenario, plan)]
    expect(first.calls.join()).toBe(second.calls.join())
  })
})

describe('mutants are caught', limit, () => {
  const kinds = [atLeastOnceMutants, exactlyOnceMutants, faultMutants, mongoMutants, targetMutants]
  test.each(kinds.flatMap(mutants => Object.entries(mutants)))('%s', async (_name, { build, scenario, breaks }) => {
    const seed = await firstCaught(scenario, build, breaks, seedsForMutants)
    expect(seed, 'the simulation did not notice').toBeDefined()
  })
})
