import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../../src/clock.ts'
import type { Fault } from '../../src/errors.ts'
import type { Lease } from '../../src/lease.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { PipelineMonitor } from '../../src/pipeline/pipeline-monitor.ts'
import type { Post, Runnable } from '../../src/pipeline/post.ts'
import { Supervisor, type SupervisorOptions } from '../../src/pipeline/supervisor.ts'

/** A clock that stands still; sleeps end by abort, or by `ring`. */
export class StandingClock implements Clock {
  readonly #sleepers = new Set<() => void>()

  nowMs(): number {
    return 1_000
  }

  random(): number {
    return 0
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (signal?.aborted) reject(signal.reason)
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
    this.#sleepers.add(resolve)
    return promise
  }

  /** Every sleep is over. */
  ring(): void {
    for (const wake of this.#sleepers) wake()
    this.#sleepers.clear()
  }
}

/** A pipeline at work on a slot, as the test sees it. */
export interface Run {
  readonly name: string
  readonly slot: number
  readonly version: string
  readonly post: Post
  readonly stop: AbortSignal
  readonly end: (fault?: Fault) => void
}

export const lease: Lease = { confirm: async () => undefined }

/** A supervisor whose pipelines do nothing but run until they are told to end. */
export class TestFleet {
  readonly clock = new StandingClock()
  readonly running: Run[] = []
  /** Everything that was started, in order, as `name/slot@version`. */
  readonly started: string[] = []
  /** A run ends as soon as it is told to stop. */
  drains = true
  readonly supervisor: Supervisor
  /** What is stored of a pipeline on a slot. */
  recall: (pipeline: string, slot: number, stop: AbortSignal) => ReturnType<Runnable['recall']> = async () => undefined

  constructor(pipelines: readonly string[], options: Partial<SupervisorOptions> = {}) {
    this.supervisor = new Supervisor({
      pipelines: pipelines.map(name => this.runnable(name)),
      createMonitor: name =>
        new PipelineMonitor({ name, unowned: () => 'standby', clock: this.clock, meter: silentMeter }),
      stopLimitMs: 1_000,
      shared: false,
      backOff: { initialMs: 1, maxMs: 1 },
      clock: this.clock,
      log: silentLogger,
      ...options,
    })
  }

  runnable(name: string, version = '1'): Runnable {
    const recall: Runnable['recall'] = (slot, stop) => this.recall(name, slot, stop)
    return { name, version, recall, run: (post, stop) => this.#run(name, version, post, stop) }
  }

  /** `name/slot@version` of what runs, sorted. */
  get now(): string[] {
    return this.running.map(textOf).toSorted()
  }

  runOf(name: string, slot = 0): Run {
    const run = this.running.find(each => each.name === name && each.slot === slot)
    if (!run) throw new Error(`${name}/${slot} does not run; ${this.now.join(' ')} do`)
    return run
  }

  /** Lets everything happen that only waits for its turn. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await turn()
  }

  async #run(name: string, version: string, post: Post, stop: AbortSignal): Promise<Fault | undefined> {
    const { promise, resolve } = Promise.withResolvers<Fault | undefined>()
    const run: Run = { name, slot: post.slot, version, post, stop, end: resolve }
    if (this.running.some(each => each.name === name && each.slot === post.slot)) {
      throw new Error(`${name}/${post.slot} runs twice`)
    }
    this.running.push(run)
    this.started.push(textOf(run))
    stop.addEventListener('abort', () => this.drains && resolve(undefined))
    const fault = await promise
    this.running.splice(this.running.indexOf(run), 1)
    post.monitor.enter(fault ? 'failed' : 'stopped', fault)
    return fault
  }
}

function textOf({ name, slot, version }: Run): string {
  return `${name}/${slot}@${version}`
}
