import { describe, expect, test } from 'vitest'
import type { Machinery } from '../../src/pipeline/attempt.ts'
import { mutants } from './mutants.ts'
import { type Mischief, seeded } from './schedule.ts'
import { simulate } from './simulate.ts'

const mischiefs: readonly Mischief[] = ['fail-before', 'fail-after', 'stop', 'crash']

describe('the whole pipeline under seeded schedules (G1, G2, G3, G7)', () => {
  test('reads, acknowledgements and saves in any order', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const { violations, duplicates } = await simulate(seed)
      expect(violations, `seed ${seed}`).toEqual([])
      expect(duplicates, `seed ${seed}`).toBe(0)
    }
  })

  test.each(mischiefs)('%s at every call of source, sink, store and clock', async mischief => {
    const touched = new Set<string>()
    let starts = 0
    for (let seed = 0; seed < 6; seed++) {
      const { calls } = await simulate(seed)
      for (let at = 0; at < calls.length; at++) {
        const outcome = await simulate(seed, new Map([[at, mischief]]))
        expect(outcome.violations, `seed ${seed}, ${mischief} at call ${at}`).toEqual([])
        touched.add((outcome.calls[at] ?? '').replace(/ .*/, ''))
        starts = Math.max(starts, outcome.starts)
      }
    }
    const expected = [
      'clock.sleep',
      'sink.close',
      'sink.partitions',
      'sink.send',
      'source.now',
      'source.read',
      'store.load',
      'store.save',
    ]
    expect([...touched].sort()).toEqual(expected)
    if (mischief === 'stop' || mischief === 'crash') expect(starts).toBeGreaterThan(1)
  })

  test('several mischiefs in one run', async () => {
    let replayed = 0
    for (let seed = 1000; seed < 1600; seed++) {
      const random = seeded(seed)
      const pick = () => mischiefs[Math.floor(random() * mischiefs.length)] ?? 'crash'
      const plan = new Map(Array.from({ length: 4 }, () => [Math.floor(random() * 60), pick()] as const))
      const { violations, duplicates } = await simulate(seed, plan)
      expect(violations, `seed ${seed}, ${JSON.stringify([...plan])}`).toEqual([])
      replayed += duplicates
    }
    expect(replayed, 'no run bit: nothing was ever replayed').toBeGreaterThan(0)
  })
})

describe('mutants of the loop are caught', () => {
  test.each(Object.entries(mutants))('%s', async (_name, { machine, breaks }) => {
    expect(await firstViolation(machine, breaks), 'the simulation did not notice').toBeDefined()
  })
})

/** The first violation of promise `promise` that any of the schedules above finds. */
async function firstViolation(machine: Machinery, promise: string): Promise<string | undefined> {
  for (let seed = 0; seed < 20; seed++) {
    const { calls } = await simulate(seed)
    const plans = mischiefs.flatMap(mischief => calls.map((_, at) => new Map([[at, mischief]])))
    for (const plan of [new Map<number, Mischief>(), ...plans]) {
      const { violations } = await simulate(seed, plan, machine)
      const found = violations.find(violation => violation.startsWith(promise))
      if (found) return found
    }
  }
  return undefined
}
