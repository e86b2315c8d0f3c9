import { type Fault, Retryable } from '../errors.ts'
import type { Lease } from '../lease.ts'
import type { ControlResult } from '../status.ts'
import type { Monitor } from './monitor.ts'
import type { PipelineMonitor } from './pipeline-monitor.ts'
import { type HoldOptions, hold, type Runnable, rest } from './post.ts'
import { Task } from './task.ts'

export interface SupervisorOptions extends HoldOptions {
  readonly pipelines: readonly Runnable[]
  readonly createMonitor: (pipeline: string) => PipelineMonitor
  /** Whether a pipeline that is added was paused before this worker knew it; default: none was. */
  readonly isPaused?: (pipeline: string) => boolean
  /** How long what is being stopped is waited for; longer than a pipeline itself drains. */
  readonly stopLimitMs: number
}

/** What is wrong with a pipeline on a slot. */
export interface Failure {
  readonly pipeline: string
  readonly slot: number
  readonly fault: Fault
}

/** What `apply` did, by name. */
export interface Changes {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly string[]
}

interface Entry {
  runnable: Runnable
  readonly monitor: PipelineMonitor
  /** By a user: it keeps its positions, and nothing of it runs. */
  paused: boolean
}

/**
 * Runs every pipeline on every slot that this worker owns, each as a task of its own: what one of them waits for or
 * fails at never touches the others. What is stopped is drained, and what follows it on its slot waits for its end.
 *
 * Slots come and go by `take` and `release`, pipelines by `apply`; a user pauses and resumes. All of these take effect
 * at once, in the order they are called; their promises settle when what they stopped has ended.
 */
export class Supervisor {
  readonly #options: SupervisorOptions
  #entries = new Map<string, Entry>()
  readonly #leases = new Map<number, Lease>()
  /** The last task of each pipeline and slot; also of those that are no longer ours, until they have ended. */
  readonly #tasks = new Map<string, Task>()
  readonly #failures = new Map<string, Failure>()
  readonly #exhausted = new AbortController()

  constructor(options: SupervisorOptions) {
    this.#options = options
    for (const runnable of options.pipelines) this.#add(runnable)
  }

  /** Aborts once every task has failed and none is left that could go on. */
  get exhausted(): AbortSignal {
    return this.#exhausted.signal
  }

  /** What has failed on slots that are ours, or were when this worker stopped. What was handed over is not among it. */
  get failures(): readonly Failure[] {
    return [...this.#failures.values()]
  }

  /** How many tasks there are that run or are being stopped: each has a sink open. */
  get running(): number {
    let count = 0
    for (const task of this.#tasks.values()) if (task.running) count += 1
    return count
  }

  get monitors(): readonly PipelineMonitor[] {
    return [...this.#entries.values()].map(({ monitor }) => monitor)
  }

  monitorOf(pipeline: string): PipelineMonitor | undefined {
    return this.#entries.get(pipeline)?.monitor
  }

  /** Starts every pipeline that is not paused on these slots. */
  take(slots: readonly number[], lease: Lease): void {
    for (const slot of slots) {
      this.#leases.set(slot, lease)
      for (const entry of this.#entries.values()) this.#begin(entry, slot, lease)
    }
  }

  /** Stops every pipeline on these slots; settles when they have drained, or the limit is over. Never rejects. */
  async release(slots: readonly number[], occasion: 'handing-over' | 'stopping' = 'stopping'): Promise<void> {
    if (occasion === 'handing-over') this.#handOver(new Set(slots))
    const leases = new Map(slots.map(slot => [slot, this.#leases.get(slot)]))
    for (const slot of slots) this.#leases.delete(slot)
    // What others may have already is not waited for: they have fenced it, and replay what it had not saved.
    for (const task of this.#tasks.values()) if (leases.get(task.slot)?.lost?.aborted) task.abandon()
    await this.#stop(task => leases.has(task.slot) && !task.abandoned)
    for (const slot of slots) {
      if (this.#leases.has(slot)) continue // Taken again meanwhile.
      for (const { monitor } of this.#entries.values()) monitor.close(slot)
    }
  }

  /** Stops a pipeline on every slot until `resume`; it keeps its positions, also through `apply`. */
  async pause(pipeline: string): Promise<ControlResult> {
    const entry = this.#entries.get(pipeline)
    if (!entry) return unknownPipeline(pipeline)
    const changed = !entry.paused
    entry.paused = true
    await this.#stop(task => task.pipeline === pipeline)
    if (entry.paused) entry.monitor.paused = true
    return { changed }
  }

  /** Lets a paused pipeline go on from its positions, and starts one again that has failed. */
  async resume(pipeline: string): Promise<ControlResult> {
    const entry = this.#entries.get(pipeline)
    if (!entry) return unknownPipeline(pipeline)
    const wasPaused = entry.paused
    let changed = wasPaused
    entry.paused = false
    entry.monitor.paused = false
    for (const [slot, lease] of this.#leases) {
      if (!wasPaused && !this.#failures.has(keyOf(pipeline, slot))) continue
      changed = true
      this.#tasks.get(keyOf(pipeline, slot))?.stop() // It may still look up where it rests.
      this.#begin(entry, slot, lease)
    }
    return { changed }
  }

  /**
   * Makes `next` the pipelines: those that are gone are stopped, new ones start, those of another version start anew
   * from their own positions. What has not changed is not touched; what is paused stays paused.
   */
  async apply(next: readonly Runnable[]): Promise<Changes> {
    const before = this.#entries
    this.#entries = new Map()
    const [added, changed]: [string[], string[]] = [[], []]
    for (const runnable of next) {
      const entry = before.get(runnable.name)
      if (!entry) added.push(runnable.name)
      else if (entry.runnable.version !== runnable.version) changed.push(runnable.name)
      if (entry) this.#entries.set(runnable.name, entry)
      else this.#add(runnable)
    }
    const gone = [...before.values()].filter(entry => !this.#entries.has(entry.monitor.name))
    const removed = gone.map(({ monitor }) => monitor.name)
    const touched = new Set([...removed, ...changed])
    const stopped = this.#stop(task => touched.has(task.pipeline))
    for (const runnable of next) {
      const entry = this.#entries.get(runnable.name)!
      if (changed.includes(runnable.name)) entry.runnable = runnable
      else if (!added.includes(runnable.name)) continue
      for (const [slot, lease] of this.#leases) this.#begin(entry, slot, lease)
    }
    await stopped
    for (const { monitor } of gone) this.#retire(monitor)
    return { added, removed, changed }
  }

  /** Its next owner meets what is wrong there, and replays what we do not save: nobody need hear of it from us later. */
  #handOver(slots: ReadonlySet<number>): void {
    for (const task of this.#tasks.values()) if (slots.has(task.slot)) task.handOver()
    for (const [key, { slot }] of this.#failures) if (slots.has(slot)) this.#failures.delete(key)
  }

  #add(runnable: Runnable): void {
    const { createMonitor, isPaused = () => false } = this.#options
    const monitor = createMonitor(runnable.name)
    const paused = isPaused(runnable.name)
    monitor.paused = paused
    this.#entries.set(runnable.name, { runnable, monitor, paused })
  }

  #retire(monitor: PipelineMonitor): void {
    if (this.#entries.has(monitor.name)) return // Came back meanwhile, with a monitor of its own.
    for (const [key, { pipeline }] of this.#failures) if (pipeline === monitor.name) this.#failures.delete(key)
    monitor.retire()
  }

  #begin(entry: Entry, slot: number, lease: Lease): void {
    const { runnable } = entry
    const monitor = entry.monitor.open(slot)
    const key = keyOf(runnable.name, slot)
    const predecessor = this.#tasks.get(key)?.ended ?? Promise.resolve()
    const stay = entry.paused ? rest : hold
    const work = (stop: AbortSignal) => stay(runnable, { slot, lease, monitor }, this.#options, stop)
    const task = new Task(runnable.name, slot, work, predecessor)
    this.#tasks.set(key, task)
    this.#failures.delete(key)
    void task.ended.then(fault => this.#ended(key, task, monitor, fault))
  }

  #ended(key: string, task: Task, monitor: Monitor, fault: Fault | undefined): void {
    if (this.#tasks.get(key) !== task) return // Its successor has begun, or waits for this moment.
    this.#tasks.delete(key)
    if (fault && !task.abandoned && !task.handedOver) {
      monitor.enter('failed', fault)
      this.#failures.set(key, { pipeline: task.pipeline, slot: task.slot, fault })
    }
    const paused = [...this.#entries.values()].some(entry => entry.paused)
    if (this.#leases.size === 0 || this.#tasks.size > 0 || this.#failures.size === 0 || paused) return
    this.#exhausted.abort()
  }

  /** Stops the tasks that `which` names; settles when they have ended, or the limit is over. */
  async #stop(which: (task: Task) => boolean): Promise<void> {
    const { stopLimitMs, clock, log } = this.#options
    const stopping = [...this.#tasks.values()].filter(which)
    if (stopping.length === 0) return
    for (const task of stopping) task.stop()
    const timer = new AbortController()
    const ended = Promise.all(stopping.map(task => task.ended))
    const late = clock.sleep(stopLimitMs, timer.signal).catch(() => ended)
    await Promise.race([ended, late])
    timer.abort()
    for (const { pipeline, slot, handedOver } of stopping.filter(task => task.running)) {
      const message = `pipeline ${pipeline} on slot ${slot} did not end within ${stopLimitMs} ms; what it has not saved is replayed`
      const fault = new Retryable('DRAIN_TIMEOUT', message)
      if (!handedOver) this.#failures.set(keyOf(pipeline, slot), { pipeline, slot, fault })
      log.error({ code: fault.code, remedy: fault.remedy, pipeline, slot }, message)
    }
  }
}

function keyOf(pipeline: string, slot: number): string {
  return `${slot}/${pipeline}`
}

function unknownPipeline(name: string): ControlResult {
  return { refused: `there is no pipeline ${name.slice(0, 200)}` }
}
