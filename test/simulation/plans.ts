import type { Build } from './daemon.ts'
import { type Mischief, seeded } from './schedule.ts'
import { EndlessRun, type Outcome, type Scenario, simulate } from './simulate.ts'

/** What most plans are made of. */
const drawn: readonly Mischief[] = [
  'fail-before',
  'fail-after',
  'stop',
  'crash',
  'freeze',
  'outage',
  'denied',
  'clock',
  'move',
  'expire',
  'damage',
  'election',
]
const staleLeader = 'stale-leader'

/** All that can go wrong there. */
export function mischiefsOf({ also = [] }: Scenario): readonly Mischief[] {
  return [...drawn, staleLeader, ...also]
}

/** What MongoDB loses is given up by a person, and two copies would not know of each other. */
const losses: readonly Mischief[] = ['overwrite', 'restore', 'election']

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
  'at-least-once, MongoDB loses history': {
    delivery: 'at-least-once',
    daemons: 'one',
    slots: 2,
    store: 'comparing',
    also: losses,
  },
  'exactly-once, MongoDB loses history': {
    delivery: 'exactly-once',
    daemons: 'workers',
    slots: 2,
    store: 'kafka',
    also: losses,
  },
  'no transactions, one daemon': {
    delivery: 'at-least-once',
    daemons: 'one',
    slots: 2,
    store: 'comparing',
    refuses: true,
    isReadBack: true,
    also: ['retention'],
  },
  'no transactions, workers': {
    delivery: 'at-least-once',
    daemons: 'workers',
    slots: 2,
    store: 'comparing',
    isReadBack: true,
    also: ['retention'],
  },
}

/** Calls that a run makes before anything goes wrong, about: later ones are not reached by every schedule. */
const callsAtMost = 90

/**
 * Up to five mischiefs at random calls, none for every sixth seed; and one stale leader more for every fourth. Half of
 * them are those of the scenario, where it has its own.
 */
export function planOf(seed: number, also: readonly Mischief[] = []): ReadonlyMap<number, Mischief> {
  const random = seeded(seed ^ 0x5eed)
  const pick = () => {
    const from = also.length > 0 && random() < 0.5 ? also : drawn
    return from[Math.floor(random() * from.length)] ?? 'crash'
  }
  const plan = new Map(Array.from({ length: seed % 6 }, () => [Math.floor(random() * callsAtMost), pick()] as const))
  return seed % 4 === 3 ? plan.set(Math.floor(random() * callsAtMost), staleLeader) : plan
}

/** Runs seed after seed; throws on the first that breaks a promise, with all that is needed to see it again. */
export async function runSeeds(scenario: Scenario, from: number, count: number): Promise<{ duplicates: number }> {
  using _ = withoutStacks()
  let duplicates = 0
  for (let seed = from; seed < from + count; seed++) {
    const outcome = await simulate(seed, scenario, planOf(seed, scenario.also))
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
    const outcome = await simulate(seed, scenario, planOf(seed, scenario.also), build).catch((error: unknown) =>
      endless(error),
    )
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

/** A broken build may also never end; that counts as caught only where it is what is broken. */
function endless(error: unknown): Pick<Outcome, 'violations'> {
  if (error instanceof EndlessRun) return error
  if (error instanceof Error && /does not end/.test(error.message)) return { violations: [] }
  throw error
}
