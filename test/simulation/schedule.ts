import { setImmediate as turn } from 'node:timers/promises'
import { Retryable } from '../../src/errors.ts'

/** What happens at one call of an interface. */
export type Mischief = 'fail-before' | 'fail-after' | 'stop' | 'crash'

/** A call that waits for its turn. */
interface Step {
  readonly name: string
  /** The turn before which it only goes on when nothing else can: now and then a packet is very late. */
  readonly notBefore: number
  readonly go: (error?: Error) => void
}

/** mulberry32: a small seeded generator; the same seed gives the same schedule. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Decides in which order the calls of all interfaces go on, by a seed, and plays one mischief at the `at`-th of them.
 * A call is two steps where its effect and its answer can be apart: `before` and `after` the effect.
 */
export class Schedule {
  readonly random: () => number
  readonly names: string[] = []
  readonly #waiting: Step[] = []
  readonly #plan: ReadonlyMap<number, Mischief>
  #generation = 0
  #turn = 0
  onStop: () => void = () => undefined

  constructor(seed: number, plan: ReadonlyMap<number, Mischief>) {
    this.random = seeded(seed)
    this.#plan = plan
  }

  /** Begins a process: what it calls after a later crash never goes on. */
  spawn(): Process {
    const generation = this.#generation
    return { schedule: this, alive: () => generation === this.#generation }
  }

  /** The process is gone, by its own will or not, and with it everything of it that still waits. */
  exit(): void {
    this.#generation++
    this.#waiting.length = 0
  }

  /** Waits for its turn. */
  step(name: string, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = this.random() < 0.15 ? Math.floor(this.random() * 60) : 0
      const step: Step = { name, notBefore: this.#turn + late, go: error => (error ? reject(error) : resolve()) }
      this.#waiting.push(step)
      signal?.addEventListener('abort', () => {
        const at = this.#waiting.indexOf(step)
        if (at >= 0) this.#waiting.splice(at, 1)
        if (at >= 0) reject(signal.reason)
      })
    })
  }

  /** Whether the call that begins now is to fail, and whether before or after its effect. */
  mischief(name: string): 'fail-before' | 'fail-after' | undefined {
    const planned = this.#plan.get(this.names.length)
    this.names.push(name)
    if (planned === 'stop') this.onStop()
    if (planned === 'crash') {
      this.exit()
      return undefined
    }
    return planned === 'fail-before' || planned === 'fail-after' ? planned : undefined
  }

  /** Takes one of the steps whose time has come at random, or, where there is none, of all. */
  #next(): Step | undefined {
    const ready = this.#waiting.filter(step => step.notBefore <= this.#turn)
    const from = ready.length > 0 ? ready : this.#waiting
    const next = from[Math.floor(this.random() * from.length)]
    if (next) this.#waiting.splice(this.#waiting.indexOf(next), 1)
    return next
  }

  /** Runs until `finished` settles, `process` crashes, or nothing can go on; then calls `idle`, which must free it. */
  async run(process: Process, finished: Promise<unknown>, idle: () => void): Promise<'finished' | 'crashed'> {
    let done = false
    const finish = (): void => {
      done = true
    }
    finished.then(finish, finish)
    let quiet = 0
    for (let steps = 0; steps < 20_000; steps++) {
      await turn()
      if (!process.alive()) return 'crashed'
      if (done) return 'finished'
      const next = this.#next()
      if (next) {
        this.#turn++
        next.go()
        quiet = 0
      } else if (++quiet > 2) {
        idle()
      }
    }
    throw new Error(`the schedule does not end; last calls: ${this.names.slice(-10).join(', ')}`)
  }
}

/** One life of the daemon. */
export interface Process {
  readonly schedule: Schedule
  readonly alive: () => boolean
}

/** A call of an interface with an effect: waits, takes effect, waits, answers. In a crashed process it never ends. */
export async function call(process: Process, name: string, effect: () => void, signal?: AbortSignal): Promise<void> {
  const { schedule, alive } = process
  signal?.throwIfAborted()
  const mischief = alive() ? schedule.mischief(name) : undefined
  if (!alive()) return new Promise(() => undefined)
  await schedule.step(name, signal)
  if (mischief === 'fail-before') throw unavailable(name)
  effect()
  await schedule.step(`${name} answer`)
  if (mischief === 'fail-after') throw unavailable(name)
}

function unavailable(name: string): Retryable {
  return new Retryable('SINK_UNAVAILABLE', `simulated failure of ${name}`)
}
