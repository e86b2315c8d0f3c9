import { asFault, type Fault } from '../errors.ts'

/** Works until `stop` aborts or nothing can go on; resolves to the fault that ended it, undefined after a clean stop. */
export type Work = (stop: AbortSignal) => Promise<Fault | undefined>

/** A pipeline at work on one slot: begins once its predecessor there has ended, so that two never overlap. */
export class Task {
  readonly pipeline: string
  readonly slot: number
  /** Never rejects: what the work throws is its fault. */
  readonly ended: Promise<Fault | undefined>
  readonly #stop = new AbortController()
  #running = true
  #abandoned = false
  #handedOver = false

  constructor(pipeline: string, slot: number, work: Work, predecessor: Promise<unknown>) {
    this.pipeline = pipeline
    this.slot = slot
    this.ended = this.#run(work, predecessor)
  }

  get running(): boolean {
    return this.#running
  }

  stop(): void {
    this.#stop.abort()
  }

  /** Whether nobody waits for its end any more, or asks how it went. */
  get abandoned(): boolean {
    return this.#abandoned
  }

  /** Stops it without waiting: its slot is somebody else's. */
  abandon(): void {
    this.#abandoned = true
    this.stop()
  }

  /** Whether its slot is to be somebody else's, who replays what it does not save: how it ends is waited for, no more. */
  get handedOver(): boolean {
    return this.#handedOver
  }

  handOver(): void {
    this.#handedOver = true
  }

  async #run(work: Work, predecessor: Promise<unknown>): Promise<Fault | undefined> {
    try {
      await predecessor
      return this.#stop.signal.aborted ? undefined : await work(this.#stop.signal)
    } catch (error) {
      return asFault(error)
    } finally {
      this.#running = false
    }
  }
}
