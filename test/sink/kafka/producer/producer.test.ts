import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mutants, mutate } from './mutants.ts'
import { type EndingPlan, type FaultPlan, type Plan, partitions, simulate, topics } from './simulate.ts'

const runs = 300

const calls = fc.array(
  fc.record({
    producer: fc.nat(topics.length - 1),
    afterMs: fc.oneof(fc.constant(0), fc.nat(15)),
    partitions: fc.array(fc.nat(partitions - 1), { minLength: 1, maxLength: 20, size: 'max' }),
  }),
  { minLength: 1, maxLength: 60, size: 'max' },
)
const errors = [2, 3, 5, 6, 9, 19, 56, 74].map(code => ({ code, appended: false }))
const afterAppend = [7, 20].map(code => ({ code, appended: true }))
const fault: fc.Arbitrary<FaultPlan> = fc.record({
  atMs: fc.nat(400),
  kind: fc.constantFrom('move', 'leaderless', 'down', 'cut', 'cut-after', 'freeze', 'throttle', 'blind', 'error'),
  target: fc.nat(50),
  forMs: fc.oneof(fc.nat(50), fc.nat(4_000)),
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  times: fc.integer({ min: 1, max: 4 }),
  error: fc.constantFrom(...errors, ...afterAppend),
})
const plan: fc.Arbitrary<Plan> = fc.record({
  seed: fc.nat(),
  calls,
  faults: fc.array(fault, { maxLength: 12, size: 'max' }),
})

describe('the producer against a model of Kafka, in virtual time', () => {
  test('no loss, no duplicate, order, at most five in flight, the same bytes again, whatever happens', async () => {
    let wrapped = 0
    await fc.assert(
      fc.asyncProperty(plan, async plan => {
        const { violations, rejections, lookUps, passedMs, wrapped: wraps } = await simulate(plan)
        expect(violations).toEqual([])
        expect(rejections).toEqual([])
        expect(lookUps).toBeLessThan(20 + passedMs / 40)
        if (wraps) wrapped += 1
      }),
      { numRuns: runs, seed: 1 },
    )
    expect(wrapped, 'no run went beyond 2^31').toBeGreaterThan(runs / 10)
  })
})

const ending: fc.Arbitrary<EndingPlan> = fc.record({
  producer: fc.nat(topics.length - 1),
  atMs: fc.nat(300),
  kind: fc.constantFrom('refused', 'aborted', 'disposed'),
  partition: fc.nat(partitions - 1),
  code: fc.constantFrom(10, 29, 44, 45, 47, 59, 87, 90),
})

describe('a producer that ends', () => {
  test('leaves a beginning of what it took, is silent before its callers hear of it, and harms no other', async () => {
    const codes = new Set<string>()
    await fc.assert(
      fc.asyncProperty(plan, ending, async (plan, ending) => {
        const { violations, rejections } = await simulate({ ...plan, ending })
        expect(violations).toEqual([])
        for (const rejection of rejections) codes.add(String(rejection).replace(/:.*/, ''))
      }),
      { numRuns: runs, seed: 2 },
    )
    const expected = ['Error', 'SINK_FENCED', 'SINK_REJECTED', 'SINK_UNAUTHORIZED', 'SINK_UNAVAILABLE']
    expect([...codes]).toEqual(expect.arrayContaining(expected))
  })
})

describe('broken queues are caught', () => {
  test.each(Object.entries(mutants))('one that %s', async (_name, mutant) => {
    const Broken = mutate(mutant)
    const outcome = await fc.check(
      fc.asyncProperty(plan, async plan => {
        const { violations, rejections } = await simulate(plan, firstSequence => new Broken(firstSequence))
        expect([...violations, ...rejections]).toEqual([])
      }),
      { numRuns: runs, seed: 1, endOnFailure: true },
    )
    expect(outcome.failed, 'the simulation did not notice').toBe(true)
  })
})
