import { RecordBlocks } from '../../src/encode/record-block.ts'
import { type Fault, Fenced } from '../../src/errors.ts'
import type { Lease } from '../../src/lease.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { type Machinery, machinery } from '../../src/pipeline/attempt.ts'
import { Monitor } from '../../src/pipeline/monitor.ts'
import type { PipelineParts } from '../../src/pipeline/parts.ts'
import { runPipeline } from '../../src/pipeline/run-pipeline.ts'
import type { Sink } from '../../src/sink/sink.ts'
import { call, type Place, type Process, type Schedule } from './schedule.ts'
import { PlainSink, SimulatedTransactionalSink, transactionalIdOf } from './sinks.ts'
import { comparingStore, kafkaStore, type LoadsUpTo } from './stores.ts'
import {
  inFlightLimitBytes,
  longSleepMs,
  simulatedClock,
  simulatedEncoder,
  simulatedSource,
  type World,
} from './world.ts'

/** How the pipelines are run; a mutation has one thing wrong. */
export interface Build {
  readonly machine: Machinery
  readonly parts: (parts: PipelineParts) => PipelineParts
  /** What the pipeline is given for the sink that was opened. */
  readonly sink: (sink: Sink, place: Place, world: World) => Sink
  /** The transactional id of the `opening`-th sink of all. */
  readonly idOf: (slot: number, opening: number) => string
  /** Whether sinks without transactions have an id all the same. */
  readonly fences: boolean
  readonly loadsUpTo: LoadsUpTo
  readonly waitsForSends: boolean
}

export const soundBuild: Build = {
  machine: machinery,
  parts: parts => parts,
  sink: sink => sink,
  idOf: slot => transactionalIdOf(slot),
  fences: true,
  loadsUpTo: 'mark',
  waitsForSends: true,
}

/** Who owns the slots, where workers share them. */
export interface Owners {
  readonly owner: Map<number, Process>
  /** When a process lost a slot, by name and slot: a turn of the schedule. */
  readonly lostAt: Map<string, number>
}

export interface DaemonOptions {
  readonly world: World
  readonly schedule: Schedule
  readonly delivery: PipelineParts['delivery']
  readonly store: 'kafka' | 'comparing'
  readonly build: Build
  /** undefined: nobody coordinates, each daemon takes all slots. */
  readonly owners: Owners | undefined
}

/** One pipeline on one slot, in one life of a daemon. */
export interface Run {
  readonly process: Process
  readonly slot: number
  readonly stop: AbortController
  isOver: boolean
  fault: Fault | undefined
  /** Of its last sink. */
  epoch: number
  /** The number of that sink among all. */
  opened: number
}

/** Blocks of all runs: what a crashed one has not given back is simply missing. */
const blocks = new RecordBlocks()

/** One life of the daemon: a process with the slots that it works on. */
export class Daemon {
  readonly process: Process
  readonly runs = new Map<number, Run>()
  isStopping = false
  readonly #options: DaemonOptions

  constructor(name: string, options: DaemonOptions) {
    this.process = { name, isAlive: true, isFrozen: false }
    this.#options = options
  }

  /** Whether it works on the slot, or still has to end that. */
  has(slot: number): boolean {
    return this.runs.get(slot)?.isOver === false
  }

  take(slot: number): void {
    const { process } = this
    const run: Run = {
      process,
      slot,
      stop: new AbortController(),
      isOver: false,
      fault: undefined,
      epoch: -1,
      opened: 0,
    }
    this.runs.set(slot, run)
    const { build } = this.#options
    const over = runPipeline(build.parts(this.#parts(run)), run.stop.signal, build.machine)
    void over.then(fault => {
      run.isOver = true
      run.fault = fault
      if (!fault) this.#judgeEnd(run)
    })
  }

  release(slot: number): void {
    this.runs.get(slot)?.stop.abort()
  }

  stop(): void {
    this.isStopping = true
    for (const run of this.runs.values()) run.stop.abort()
  }

  /** A clean stop leaves nothing open: what was sent is committed (G3). */
  #judgeEnd({ slot, epoch }: Run): void {
    const { world } = this.#options
    const open = world.kafka.open(transactionalIdOf(slot))
    if (open?.epoch !== epoch || !open.entries.some(({ change }) => change > 0)) return
    world.violations.push(`G3: slot ${slot} stopped cleanly with an open transaction`)
  }

  #parts(run: Run): PipelineParts {
    const { slot } = run
    const { world, schedule, delivery, store, build } = this.#options
    const place: Place = { schedule, process: this.process, slot }
    const clock = simulatedClock(world, place)
    const opening = { attemptAt: 0 }
    return {
      name: 'orders',
      deployment: 'sim',
      slot,
      lease: this.#lease(place, opening),
      delivery,
      source: simulatedSource(world, place),
      cluster: 'rs',
      filterHash: 'none',
      revision: () => 0,
      store: store === 'kafka' ? kafkaStore(world, place, build.loadsUpTo) : comparingStore(world, place, run),
      openSink: signal => this.#openSink(run, place, opening, signal),
      createEncoder: () => simulatedEncoder(blocks),
      topic: '{db}',
      spec: { partitions: 2, replication: 1, config: {} },
      onError: { oversize: 'dead-letter', poison: 'dead-letter', deadLetterTopic: '{topic}.dlq' },
      startAt: undefined,
      saveIntervalMs: 5,
      commitIntervalMs: () => 5,
      limits: { inFlightBytes: inFlightLimitBytes, drainMs: longSleepMs },
      backOff: { initialMs: 10, maxMs: 100 },
      monitor: new Monitor('orders', clock, silentMeter),
      clock,
      log: silentLogger,
      meter: silentMeter,
    }
  }

  #lease(place: Place, opening: { attemptAt: number }): Lease {
    const { owners, schedule } = this.#options
    return {
      confirm: async signal => {
        if (!owners) return
        opening.attemptAt = schedule.turn
        const check = (): void => {
          if (owners.owner.get(place.slot) !== this.process) throw new Fenced('SINK_FENCED', 'the lease is lost')
        }
        await call(place, 'lease.confirm', check, signal)
      },
    }
  }

  async #openSink(run: Run, place: Place, opening: { attemptAt: number }, signal: AbortSignal): Promise<Sink> {
    const { world, schedule, delivery, build } = this.#options
    const opened = ++world.openings
    const id = build.idOf(place.slot, opened)
    const attemptAt = opening.attemptAt === 0 ? schedule.turn : opening.attemptAt
    opening.attemptAt = 0
    const fence = (): number => {
      this.#judgeOpening(place.slot, attemptAt)
      run.opened = opened
      world.lastOpened.set(place.slot, opened)
      return world.kafka.fence(id)
    }
    run.epoch = await call(place, 'sink.open', fence, signal)
    const { epoch } = run
    await world.kafka.settled(id)
    const sink =
      delivery === 'exactly-once'
        ? new SimulatedTransactionalSink(world, place, id, epoch, build)
        : new PlainSink(world, place, build.fences ? id : undefined, epoch)
    return build.sink(sink, place, world)
  }

  /** Who has lost the slot before it even began this attempt must not fence its successor (decision 5). */
  #judgeOpening(slot: number, attemptAt: number): void {
    const { owners, world } = this.#options
    if (!owners || owners.owner.get(slot) === this.process) return
    const lostAt = owners.lostAt.get(`${this.process.name}/${slot}`) ?? 0
    if (lostAt < attemptAt) world.violations.push(`lease: ${this.process.name} fenced the successor on slot ${slot}`)
  }
}
