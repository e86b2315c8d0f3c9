import type { Build } from './daemon.ts'
import { type Mischief, seeded } from './schedule.ts'
import { type Outcome, type Scenario, simulate } from './simulate.ts'

/** What most plans are made of. */
const drawn: readonly Mischief[] = [
  'fail-before',
  'fail-after',
  'stop',
  'crash',
  'freeze',
  'outage',
  'clock',
  'move',
  'expire',
]
const staleLeader = 'stale-leader'
export const mischiefs: readonly Mischief[] = [...drawn, staleLeader]

export const scenarios: Readonly<Record<string, Scenario>> = {
  'at-least-once, one daemon': { delivery: 'at-least-once', daemons: 'one', slots: 1, store: 'comparing' },
  'at-least-once, two copies': {
    delivery: 'at-least-once',
    daemons: 'two',
    slots: 1,
    store: 'kafka',
  },
  'at-least-once, two copies, another store': {
    delivery: 'at-least-once',
    daemons: 'two',
    slots: 1,
    store: 'comparing',
  },
  'at-least-once, workers': { delivery: 'at-least-once', daemons: 'workers', slots: 2, store: 'kafka' },
  'exactly-once, one daemon': { delivery: 'exactly-once', daemons: 'one', slots: 1, store: 'kafka' },
  'exactly-once, two copies': { delivery: 'exactly-once', daemons: 'two', slots: 1, store: 'kafka' },
  'at-least-once, refused records': {
    delivery: 'at-least-once',
    daemons: 'one',
    slots: 1,
    store: 'comparing',
    refuses: true,
  },
  'exactly-once, refused records': {
    delivery: 'exactly-once',
    daemons: 'workers',
    slots: 2,
    store: 'kafka',
    refuses: true,
  },
  'exactly-once, workers': { delivery: 'exactly-once', daemons: 'workers', slots: 2, store: 'kafka' },
}

/** Calls that a run makes before anything goes wrong, about: later ones are not reached by every schedule. */
const callsAtMost = 90

/** Up to five mischiefs at random calls, none for every sixth seed; and one stale leader more for every fourth. */
export function planOf(seed: number): ReadonlyMap<number, Mischief> {
  const random = seeded(seed ^ 0x5eed)
  const pick = () => drawn[Math.floor(random() * drawn.length)] ?? 'crash'
  const plan = new Map(Array.from({ length: seed % 6 }, () => [Math.floor(random() * callsAtMost), pick()] as const))
  return seed % 4 === 3 ? plan.set(Math.floor(random() * callsAtMost), staleLeader) : plan
}

/** Runs seed after seed; throws on the first that breaks a promise, with all that is needed to see it again. */
export async function runSeeds(scenario: Scenario, from: number, count: number): Promise<{ duplicates: number }> {
  using _ = withoutStacks()
  let duplicates = 0
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulate(seed, scenario, planOf(seed))
    if (outcome.violations.length > 0) throw new Error(`seed ${seed}: ${outcome.violations.join('; ')}`)
    duplicates += outcome.duplicates
  }
  return { duplicates }
}

/** The first seed below `limit` whose run with `build` breaks the promise. */
export async function firstCaught(
  scenario: Scenario,
  build: Build,
  promise: string,
  limit: number,
): Promise<number | undefined> {
  using _ = withoutStacks()
  for (let seed = 0; seed < limit; seed++) {
    const outcome = await simulate(seed, scenario, planOf(seed), build).catch((error: unknown) => endless(error))
    if (outcome.violations.some(violation => violation.startsWith(promise))) return seed
  }
  return undefined
}

/** Faults are thrown by the thousand and caught again, and nobody reads where from: a tenth of the time. */
function withoutStacks(): Disposable {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  return {
    [Symbol.dispose]() {
      Error.stackTraceLimit = before
    },
  }
}

/** A broken build may also never end; that alone does not count as caught. */
function endless(error: unknown): Pick<Outcome, 'violations'> {
  if (error instanceof Error && /does not end/.test(error.message)) return { violations: [] }
  throw error
}
