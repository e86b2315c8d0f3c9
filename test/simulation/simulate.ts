import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { type Machinery, machinery } from '../../src/pipeline/attempt.ts'
import { Monitor } from '../../src/pipeline/monitor.ts'
import { runPipeline } from '../../src/pipeline/run-pipeline.ts'
import { duplicates, judge } from './judge.ts'
import { type Mischief, type Process, Schedule } from './schedule.ts'
import {
  inFlightLimitBytes,
  simulatedClock,
  simulatedEncoder,
  simulatedSink,
  simulatedSource,
  simulatedStore,
  World,
} from './world.ts'

export interface Outcome {
  readonly violations: readonly string[]
  /** Names of the interface calls, in the order they began. */
  readonly calls: readonly string[]
  readonly starts: number
  readonly duplicates: number
}

/** Runs a pipeline over a small history with the given mischief, restarting it until everything has arrived. */
export async function simulate(
  seed: number,
  plan: ReadonlyMap<number, Mischief> = new Map(),
  machine: Machinery = machinery,
): Promise<Outcome> {
  const schedule = new Schedule(seed, plan)
  const world = new World(schedule.random, 16, 5)
  let starts = 0
  let clean = true // Whether every ending so far was clean: then there must be no duplicate (G3).
  for (let finished = false; !finished; ) {
    if (++starts > 12) throw new Error(`seed ${seed}: the pipeline never catches up`)
    const stop = new AbortController()
    schedule.onStop = () => stop.abort()
    let caughtUp = false
    const process = schedule.spawn()
    const running = start(world, process, machine, stop.signal)
    const ended = await schedule.run(process, running, () => {
      caughtUp = true // Nothing moves: all is read and settled. Now a clean stop.
      stop.abort()
    })
    const fault = ended === 'finished' ? await running : undefined
    schedule.exit()
    if (ended === 'crashed' || fault) clean = false
    finished = caughtUp && !fault
    world.outstandingBytes = 0
  }
  const failed = [...plan.values()].some(mischief => mischief.startsWith('fail'))
  const violations = judge(world)
  const repeated = duplicates(world)
  if (clean && !failed && repeated > 0) violations.push(`G3: ${repeated} duplicates after clean stops`)
  return { violations, calls: schedule.names, starts, duplicates: repeated }
}

function start(world: World, process: Process, machine: Machinery, stop: AbortSignal) {
  const clock = simulatedClock(world, process)
  return runPipeline(
    {
      name: 'orders',
      deployment: 'sim',
      slot: 0,
      lease: { confirm: async () => undefined },
      delivery: 'at-least-once',
      commitIntervalMs: () => 5,
      source: simulatedSource(world, process),
      cluster: 'rs',
      filterHash: 'none',
      store: simulatedStore(world, process),
      openSink: async () => simulatedSink(world, process),
      createEncoder: () => simulatedEncoder(),
      topic: '{db}',
      spec: { partitions: 3, replication: 1, config: {} },
      startAt: undefined,
      saveIntervalMs: 5,
      limits: { inFlightBytes: inFlightLimitBytes, drainMs: 1_000_000 },
      backOff: { initialMs: 10, maxMs: 100 },
      monitor: new Monitor('orders', clock, silentMeter),
      clock,
      log: silentLogger,
      meter: silentMeter,
    },
    stop,
    machine,
  )
}
