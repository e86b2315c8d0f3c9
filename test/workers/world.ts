import type { BusyRatios } from '../../src/busy.ts'
import type { Lease } from '../../src/lease.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { createWorkers } from '../../src/workers/create-workers.ts'
import type { Group, GroupTerms } from '../../src/workers/group.ts'
import { Pauses } from '../../src/workers/pauses.ts'
import type { Occasion, SlotHolder, Workers } from '../../src/workers/workers.ts'
import { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'
import { ModelCoordinator } from './model-coordinator.ts'
import { ModelProcess } from './model-process.ts'

export const sessionTimeoutMs = 6_000
const rebalanceTimeoutMs = 2 * sessionTimeoutMs
export const longestDrainMs = 2_000
/** A process that has just woken up has not had its turn yet. */
const wakingMs = 5

/** A deliberately broken worker: wraps what the worker is given. */
export interface Mutant {
  readonly group?: (group: Group, of: ModelProcess) => Group
  readonly holder?: (holder: SlotHolder, of: ModelProcess) => SlotHolder
  readonly process?: (process: ModelProcess) => void
  /** How long the coordinator waits for members that do not join a new generation. */
  readonly rebalanceTimeoutMs?: number
}

/** What one worker holds of one slot, from take to the end of its release. */
interface Hold {
  readonly lease: Lease
  /** 0 before its first confirmation; then its number among all who were ever confirmed for the slot. */
  opening: number
  isReleasing: boolean
}

export class SimWorker {
  readonly process: ModelProcess
  readonly workers: Workers
  readonly holds = new Map<number, Hold>()
  /** What people have ordered, and every order of another worker that this one obeyed. */
  readonly pauses: Pauses
  readonly obeyed: string[] = []
  /** Why it gave slots back, one after the other. */
  readonly occasions: Occasion[] = []
  readonly stop = new AbortController()
  /** As its pipelines would say. */
  busy: BusyRatios | undefined
  ended: Promise<void> = Promise.resolve()
  isEnded = false

  constructor(process: ModelProcess, open: (pauses: Pauses) => Workers) {
    this.process = process
    this.pauses = new Pauses((pipeline, paused) => this.obeyed.push(`${paused ? 'pause' : 'resume'} ${pipeline}`))
    this.workers = open(this.pauses)
  }
}

/** Workers of one group, what they hold, and what must never be. */
export class World {
  readonly time: VirtualTime
  readonly slots: number
  readonly violations: string[] = []
  readonly workers: SimWorker[] = []
  readonly coordinator: ModelCoordinator
  readonly #mutant: Mutant
  /** By slot, how many holders were confirmed. */
  readonly #openings: number[]
  /** By slot, when it was last seen in good hands. */
  readonly ownedAtMs: number[]
  isCoordinatorUp = true
  /** What all workers together were given, confirmed, and lost before they had given it back. */
  takes = 0
  confirms = 0
  lost = 0

  constructor(seed: number, slots: number, mutant: Mutant = {}) {
    this.time = new VirtualTime(seed)
    this.slots = slots
    this.#mutant = mutant
    this.#openings = new Array<number>(slots).fill(0)
    this.ownedAtMs = new Array<number>(slots).fill(this.time.nowMs())
    const rebalanceMs = mutant.rebalanceTimeoutMs ?? rebalanceTimeoutMs
    this.coordinator = new ModelCoordinator(this.time, { sessionMs: sessionTimeoutMs, rebalanceMs })
  }

  /** Lets `ms` pass, looking for what must not be after everything that happens. */
  async pass(ms: number, isDone: () => boolean = () => false): Promise<void> {
    const look = () => {
      this.#judge()
      return isDone()
    }
    await this.time.run(look, ms)
  }

  get living(): SimWorker[] {
    return this.workers.filter(({ process, isEnded }) => !process.isDead && !isEnded)
  }

  /** A worker of this name joins. */
  start(name: string): SimWorker {
    const limits = { promptMs: sessionTimeoutMs / 5, patientMs: rebalanceTimeoutMs + 5_000 }
    const process = new ModelProcess(
      name,
      this.time,
      () => (this.isCoordinatorUp ? this.coordinator : undefined),
      limits,
    )
    this.#mutant.process?.(process)
    const openGroup = (_terms: GroupTerms) => this.#mutant.group?.(process.group(), process) ?? process.group()
    const busy = () => worker.busy
    const options = { slots: this.slots, name, deployment: 'd', cluster: 'c', sessionTimeoutMs, openGroup, busy }
    const parts = { clock: process, log: silentLogger, meter: silentMeter }
    const worker: SimWorker = new SimWorker(process, pauses =>
      createWorkers({ coordination: 'kafka', ...options, pauses }, parts),
    )
    this.workers.push(worker)
    const holder = this.#holder(worker)
    const mutated = this.#mutant.holder?.(holder, process) ?? holder
    worker.ended = worker.workers.run(mutated, worker.stop.signal).then(
      () => {
        worker.isEnded = true
        if (worker.holds.size > 0) this.violations.push(`${name} ended and holds slots`)
      },
      error => {
        worker.isEnded = true
        this.violations.push(`${name} ended with ${error}`)
      },
    )
    return worker
  }

  /** Every slot is held by a worker that is well, nobody has more than one above another, and who was to stop has. */
  get isBalanced(): boolean {
    if (this.living.some(({ stop }) => stop.signal.aborted)) return false
    const counts = this.living.map(({ holds }) => [...holds.values()].filter(({ isReleasing }) => !isReleasing).length)
    const isQuiet = this.living.every(({ holds }) => [...holds.values()].every(({ isReleasing }) => !isReleasing))
    const sum = counts.reduce((a, b) => a + b, 0)
    return isQuiet && sum === this.slots && Math.max(...counts) - Math.min(...counts) <= 1
  }

  #holder(worker: SimWorker): SlotHolder {
    const { process, holds, occasions } = worker
    return {
      take: (slots, lease) => {
        for (const slot of slots) {
          this.takes += 1
          if (holds.has(slot)) this.violations.push(`${process.name} was given slot ${slot}, which it holds`)
          const hold = { lease, opening: 0, isReleasing: false }
          holds.set(slot, hold)
          lease.lost?.addEventListener('abort', () => {
            if (!hold.isReleasing) this.lost += 1
          })
          void this.#work(worker, slot, hold)
        }
      },
      release: async (slots, occasion) => {
        occasions.push(occasion)
        for (const slot of slots) {
          const hold = holds.get(slot)
          if (hold === undefined || hold.isReleasing) this.violations.push(`${process.name} releases ${slot} in vain`)
          else hold.isReleasing = true
        }
        await process.sleep(this.time.between(0, longestDrainMs))
        for (const slot of slots) holds.delete(slot)
      },
    }
  }

  /** Asks now and then whether the slot is still its own. Once a later holder was told so, nobody else may be. */
  async #work({ process, holds }: SimWorker, slot: number, hold: Hold): Promise<void> {
    while (holds.get(slot) === hold) {
      const isStale = hold.opening !== 0 && hold.opening !== this.#openings[slot]
      try {
        await hold.lease.confirm(new AbortController().signal)
      } catch {
        return
      }
      this.confirms += 1
      if (isStale) this.violations.push(`${process.name} was told that slot ${slot} is its own, and it is another's`)
      if (hold.opening === 0) {
        this.#openings[slot]! += 1
        hold.opening = this.#openings[slot]!
      }
      await process.sleep(this.time.between(0, 3_000))
    }
  }

  /** Of those that are awake, at most one may believe that a slot is its own. */
  #judge(): void {
    const nowMs = this.time.nowMs()
    for (let slot = 0; slot < this.slots; slot += 1) {
      const believers = this.workers.filter(({ process, holds }) => {
        const isAwake = !process.isDead && !process.isFrozen && nowMs - process.thawedAtMs > wakingMs
        return isAwake && holds.get(slot)?.lease.lost?.aborted === false
      })
      if (believers.length > 1) {
        this.violations.push(`slot ${slot} is ${believers.map(({ process }) => process.name).join("'s and ")}'s`)
      }
      if (believers.length > 0) this.ownedAtMs[slot] = nowMs
    }
  }
}
