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
import type { FutureGuard } from '../../src/source/future.ts'
import { longSleepMs, simulatedClock } from './clock.ts'
import { simulatedEncoder } from './encoder.ts'
import { call, type Place, type Process, type Schedule } from './schedule.ts'
import { PlainSink, SimulatedTransactionalSink, transactionalIdOf } from './sinks.ts'
import { createGuard, type MongoAccess, mongoAccess, simulatedSource } from './source.ts'
import { comparingStore, kafkaStore, type LoadsUpTo } from './stores.ts'
import { tailReader } from './target.ts'
import type { World } from './world.ts'

/** How the pipelines are run; a mutation has one thing wrong. */
export interface Build {
  readonly machine: Machinery
  readonly parts: (parts: PipelineParts, world: World, place: Place) => PipelineParts
  /** What the source is given of MongoDB. */
  readonly mongo: (access: MongoAccess, world: World) => MongoAccess
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
  mongo: access => access,
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
  /** A pipeline has ended with a fault. */
  readonly onFault: (slot: number, fault: Fault) => void
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

/** When the attempt began that opens a sink: a turn of the schedule. */
interface Opening {
  attemptAt: number | undefined
}

/** Blocks of all runs: what a crashed one has not given back is simply missing. */
const blocks = new RecordBlocks()

/** One life of the daemon: a process with the slots that it works on. */
export class Daemon {
  readonly process: Process
  readonly runs = new Map<number, Run>()
  isStopping = false
  readonly #options: DaemonOptions
  readonly #guard: FutureGuard

  constructor(name: string, options: DaemonOptions) {
    this.process = { name, isAlive: true, isFrozen: false }
    this.#options = options
    this.#guard = createGuard(this.#mongoAccess({ schedule: options.schedule, process: this.process, slot: 0 }))
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
    const { build, world, schedule, onFault } = this.#options
    const parts = build.parts(this.#parts(run), world, { schedule, process, slot })
    const over = runPipeline(parts, run.stop.signal, build.machine)
    void over.then(fault => {
      run.isOver = true
      run.fault = fault
      if (!fault) return this.#judgeEnd(run)
      world.judgeFault(slot, fault, run.stop.signal.aborted)
      onFault(slot, fault)
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

  #mongoAccess(place: Place): MongoAccess {
    const { world, build } = this.#options
    return build.mongo(mongoAccess(world, place), world)
  }

  #parts(run: Run): PipelineParts {
    const { slot } = run
    const { world, schedule, delivery, store, build } = this.#options
    const source = `sim/orders/${slot}`
    const place: Place = { schedule, process: this.process, slot }
    const clock = simulatedClock(world, place)
    const opening: Opening = { attemptAt: undefined }
    return {
      name: 'orders',
      deployment: 'sim',
      slot,
      lease: this.#lease(place, opening),
      delivery,
      source: simulatedSource(world, place, this.#mongoAccess(place), this.#guard),
      cluster: 'rs',
      filterHash: 'none',
      revision: () => 0,
      store: store === 'kafka' ? kafkaStore(world, place, build.loadsUpTo) : comparingStore(world, place, run),
      openSink: signal => this.#openSink(run, place, opening, signal),
      ...(world.isReadBack && { tailReader: tailReader(world, place, () => run.epoch) }),
      createEncoder: generation => simulatedEncoder(blocks, world.isReadBack ? { source, generation } : undefined),
      topic: '{db}',
      spec: { partitions: 2, replication: 1, config: {} },
      onError: { oversize: 'dead-letter', poison: 'dead-letter', deadLetterTopic: '{topic}.dlq' },
      startAt: undefined,
      saveIntervalMs: 5,
      commitIntervalMs: () => 5,
      limits: { inFlightBytes: world.inFlightLimitBytes, drainMs: longSleepMs },
      backOff: { initialMs: 10, maxMs: 100 },
      monitor: new Monitor('orders', clock, silentMeter),
      clock,
      log: silentLogger,
      meter: silentMeter,
    }
  }

  #lease(place: Place, opening: Opening): Lease {
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

  async #openSink(run: Run, place: Place, opening: Opening, signal: AbortSignal): Promise<Sink> {
    const { world, schedule, delivery, build } = this.#options
    const opened = ++world.openings
    const id = build.idOf(place.slot, opened)
    const attemptAt = opening.attemptAt ?? schedule.turn
    opening.attemptAt = undefined
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
        : new PlainSink(world, place, build.fences && !world.isReadBack ? id : undefined, epoch)
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
