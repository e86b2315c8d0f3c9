import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { WorkerOrders, WorkerReport } from './worker-process.ts'

type End = Extract<WorkerReport, { event: 'ended' }>

/** From take to released, milliseconds by the worker's clock; `toMs` is Infinity while it lasts. */
interface Span {
  readonly slot: number
  readonly fromMs: number
  toMs: number
}

/** A worker in a process of its own, and what it has said. */
export class RealWorker {
  readonly held = new Set<number>()
  /** Every slot that it ever took, in order. */
  readonly taken: number[] = []
  readonly spans: Span[] = []
  /** Slots whose leases it asked for when it woke up from a freeze. */
  readonly confirmed: number[] = []
  readonly refused: number[] = []
  /** What it said last; never, where it is killed. */
  readonly end: Promise<End>
  readonly #process: ChildProcess
  readonly #closed: Promise<unknown>
  #changed = Promise.withResolvers<void>()

  constructor(orders: WorkerOrders) {
    const program = new URL('worker-process.ts', import.meta.url).pathname
    this.#process = spawn(process.execPath, [program, JSON.stringify(orders)], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#closed = once(this.#process, 'close')
    const { promise, resolve } = Promise.withResolvers<End>()
    this.end = promise
    createInterface({ input: this.#process.stdout! }).on('line', line => {
      const report: WorkerReport = JSON.parse(line)
      this.#take(report)
      if (report.event === 'ended') resolve(report)
      this.#changed.resolve()
      this.#changed = Promise.withResolvers()
    })
  }

  /** Waits until what `workers` have said makes `isDone` true. */
  static async until(workers: readonly RealWorker[], isDone: () => boolean, limitMs: number): Promise<void> {
    const late = AbortSignal.timeout(limitMs)
    const expired = once(late, 'abort')
    while (!isDone()) {
      const changes = workers.map(worker => worker.#changed.promise)
      await Promise.race([...changes, expired])
      if (late.aborted)
        throw new Error(`not after ${limitMs} ms: ${workers.map(({ held }) => [...held].join()).join(' | ')}`)
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** SIGTERM, and what it said in the end. */
  async stop(): Promise<End> {
    this.signal('SIGTERM')
    const end = await this.end
    await this.#closed
    return end
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#closed
  }

  #take(report: WorkerReport): void {
    switch (report.event) {
      case 'take':
        for (const slot of report.slots) {
          this.held.add(slot)
          this.taken.push(slot)
          this.spans.push({ slot, fromMs: report.atMs, toMs: Number.POSITIVE_INFINITY })
        }
        break
      case 'released':
        for (const slot of report.slots) {
          this.held.delete(slot)
          const span = this.spans.findLast(one => one.slot === slot)
          if (span !== undefined) span.toMs = report.atMs
        }
        break
      case 'confirmed':
      case 'refused':
        this[report.event].push(...report.slots)
        break
      case 'release':
      case 'ended':
    }
  }
}
