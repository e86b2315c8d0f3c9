import { Cluster } from './cluster.ts'
import { type Build, soundBuild } from './daemon.ts'
import { duplicates, judge } from './judge.ts'
import { type Mischief, Schedule } from './schedule.ts'
import { World } from './world.ts'

/** `one`: a daemon that is started again. `two`: two copies that do not know of each other. `workers`: slots are shared. */
export interface Scenario {
  readonly delivery: 'at-least-once' | 'exactly-once'
  readonly daemons: 'one' | 'two' | 'workers'
  readonly slots: number
  /** Where checkpoints are kept; in exactly-once always Kafka. */
  readonly store: 'kafka' | 'comparing'
  /** Kafka refuses some records. */
  readonly refuses?: boolean
  /** The target has neither transactions nor idempotence: it is read back. */
  readonly isReadBack?: boolean
  /** What also goes wrong, beside what does everywhere. */
  readonly also?: readonly Mischief[]
}

export interface Outcome {
  readonly violations: readonly string[]
  /** Names of the interface calls, in the order they began. */
  readonly calls: readonly string[]
  readonly starts: number
  readonly duplicates: number
}

/** What nobody's records are lost or sent again by. */
const harmless: ReadonlySet<Mischief> = new Set(['stop', 'move', 'clock', 'stale-leader', 'retention'])

/** Two that follow each other among them. */
const refused = [2, 5, 6, 11]

/** Far more than an honest run needs: what still goes on then goes round in circles. */
const stepLimit = 20_000

/** A run that goes round in circles. */
export class EndlessRun extends Error {
  readonly violations: readonly string[]

  constructor(message: string, violations: readonly string[]) {
    super(message)
    this.violations = [...violations, 'endless']
  }
}

/** Runs a pipeline over a small history with the given mischief, restarting it until everything has arrived. */
export async function simulate(
  seed: number,
  scenario: Scenario,
  plan: ReadonlyMap<number, Mischief> = new Map(),
  build: Build = soundBuild,
): Promise<Outcome> {
  const { delivery, slots, store, refuses = false, isReadBack = false } = scenario
  const schedule = new Schedule(seed, plan)
  const world = new World(schedule, { changes: 12, keys: 4, slots, refused: refuses ? refused : [], isReadBack })
  const cluster = new Cluster({ world, schedule, delivery, store, build, daemons: scenario.daemons })
  cluster.begin()
  for (let steps = 0; ; steps++) {
    if (steps > stepLimit || cluster.starts > 40) {
      throw new EndlessRun(`seed ${seed}: it does not end; ${where(schedule)}`, world.violations)
    }
    const hasMoved = await schedule.advance()
    cluster.look()
    if (!hasMoved && cluster.rest() === 'finished') break
  }
  const violations = [...world.violations, ...judge(world, delivery)]
  const repeated = duplicates(world, delivery)
  const isClean = cluster.isClean && [...plan.values()].every(each => harmless.has(each))
  // A refusal is a failure, after which a suffix is replayed.
  if (isClean && !refuses && scenario.daemons !== 'two' && repeated > 0) {
    violations.push(`G3: ${repeated} duplicates after clean stops`)
  }
  return { violations, calls: schedule.names, starts: cluster.starts, duplicates: repeated }
}

function where(schedule: Schedule): string {
  return `last calls: ${schedule.names.slice(-10).join(', ')}`
}
