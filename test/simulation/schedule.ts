import { setImmediate as turn } from 'node:timers/promises'
import { Configuration, type ErrorCode, type Fault, Retryable } from '../../src/errors.ts'

/**
 * What happens at one call of an interface. `freeze`: SIGSTOP for a while. `outage`: the same part fails five times.
 * `denied`: it lacks the right so many times. `clock`: the clock is set. `move`: the caller's slot is handed over.
 * `expire`: it is given away behind its back. `damage`: the slot's checkpoint is no longer what was written.
 * `stale-leader`: a broker freezes, another leads the checkpoints, and when it wakes up it does not know.
 * `election`, `overwrite`, `restore`: see mongo.ts. `retention`: Kafka removes the beginning of its topics.
 */
export type Mischief =
  | 'fail-before'
  | 'fail-after'
  | 'stop'
  | 'crash'
  | 'freeze'
  | 'outage'
  | 'denied'
  | 'clock'
  | 'move'
  | 'expire'
  | 'damage'
  | 'stale-leader'
  | 'election'
  | 'overwrite'
  | 'restore'
  | 'retention'

/** How a call goes wrong, and whether before or after its effect. */
type Failure = 'fail-before' | 'fail-after' | 'denied'

/** A call that waits for its turn. */
interface Step {
  readonly name: string
  /** undefined: of the servers, which never crash here. */
  readonly process: Process | undefined
  /** A request on its way: the process may be gone before it arrives. */
  readonly isRequest: boolean
  /** The turn before which it only goes on when nothing else can: now and then a packet is very late. */
  readonly notBefore: number
  /** Already sent: it arrives whatever becomes of its process. */
  isOnWire: boolean
  readonly go: () => void
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

/** One life of the daemon. */
export interface Process {
  readonly name: string
  isAlive: boolean
  isFrozen: boolean
}

/** The calls of one part that are still to go wrong. */
interface Trouble {
  readonly part: string
  calls: number
}

function takes(trouble: Trouble | undefined, part: string): boolean {
  return trouble?.part === part && trouble.calls-- > 0
}

/** Where a call is made: which process, for which slot. */
export interface Place {
  readonly schedule: Schedule
  readonly process: Process
  readonly slot: number
}

/** Microtasks that pass between two steps: enough for most chains; where they are not, the calls only interleave more. */
const microtasks = 8
const troubledCalls = 5
/** Nobody is asked for a right there. */
const withoutRights: ReadonlySet<string> = new Set(['clock.sleep', 'lease.confirm', 'sink.close'])
const longestFreeze = 150
const lastOfAll = Number.MAX_SAFE_INTEGER

/**
 * Decides in which order the calls of all interfaces go on, by a seed, and plays the planned mischiefs at the calls
 * with their numbers. A call is two steps where its effect and its answer can be apart: before and after the effect.
 */
export class Schedule {
  readonly random: () => number
  readonly names: string[] = []
  /** What the schedule cannot play itself. */
  onMischief: (mischief: Mischief, place: Place) => void = () => undefined
  /** Called when a process goes on that was frozen. */
  onThaw: () => void = () => undefined
  /** Whether a right was ever missing. */
  wasDenied = false
  turn = 0
  readonly #plan: ReadonlyMap<number, Mischief>
  readonly #waiting: Step[] = []
  readonly #abortable = new Map<AbortSignal, Map<Step, (reason: unknown) => void>>()
  #outage: Trouble | undefined
  #denial: Trouble | undefined
  #mayYield = false
  #frozen: { readonly process: Process; readonly until: number }[] = []

  constructor(seed: number, plan: ReadonlyMap<number, Mischief>) {
    this.random = seeded(seed)
    this.#plan = plan
  }

  /** The process is gone: what it waited for never goes on, but half of what it has sent still arrives. */
  kill(process: Process): void {
    process.isAlive = false
    for (let at = this.#waiting.length - 1; at >= 0; at--) {
      const step = this.#waiting[at]!
      if (step.process !== process || step.isOnWire) continue
      if (step.isRequest && this.random() < 0.5) step.isOnWire = true
      else this.#waiting.splice(at, 1)
    }
  }

  freeze(process: Process): void {
    process.isFrozen = true
    this.#frozen.push({ process, until: this.turn + Math.floor(this.random() * longestFreeze) })
    for (const step of this.#waiting) {
      if (step.process === process && step.isRequest && this.random() < 0.5) step.isOnWire = true
    }
  }

  /** Waits for its turn. */
  step(name: string, process?: Process, isRequest = false, signal?: AbortSignal): Promise<void> {
    const chance = this.random()
    const late = chance < 0.12 ? this.random() * 60 : chance < 0.16 ? this.random() * 400 : 0
    return this.#wait({ name, process, isRequest, notBefore: this.turn + Math.floor(late) }, signal)
  }

  /** Goes on only when nothing else can. */
  last(name: string, process: Process, signal?: AbortSignal): Promise<void> {
    return this.#wait({ name, process, isRequest: false, notBefore: lastOfAll }, signal)
  }

  #wait(waits: Omit<Step, 'isOnWire' | 'go'>, signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const abortable = signal && this.#abortableBy(signal)
    const go = (): void => {
      abortable?.delete(step)
      resolve()
    }
    const step: Step = { ...waits, isOnWire: false, go }
    abortable?.set(step, reject)
    this.#waiting.push(step)
    return promise
  }

  /** One listener for all steps that a signal can end: listeners are what costs most here. */
  #abortableBy(signal: AbortSignal): Map<Step, (reason: unknown) => void> {
    const known = this.#abortable.get(signal)
    if (known) return known
    const steps = new Map<Step, (reason: unknown) => void>()
    this.#abortable.set(signal, steps)
    const abort = (): void => {
      for (const [step, reject] of steps) {
        const at = this.#waiting.indexOf(step)
        // What a sink has put on the wire already goes on, and its caller must wait for it.
        if (step.isRequest && step.name.startsWith('sink.') && this.random() < 0.5) step.isOnWire = true
        if (at < 0 || step.isOnWire) continue
        this.#waiting.splice(at, 1)
        reject(signal.reason)
      }
    }
    signal.addEventListener('abort', abort, { once: true })
    return steps
  }

  /** Somebody waits for the event loop (`setImmediate`) before the next call. */
  mayYield(): void {
    this.#mayYield = true
  }

  /** Whether the call that begins now is to fail. */
  begin(name: string, place: Place): Failure | undefined {
    const planned = this.#plan.get(this.names.length)
    this.names.push(name)
    const part = name.slice(0, name.indexOf('.'))
    if (planned === 'outage') this.#outage = { part, calls: troubledCalls }
    if (planned === 'denied') this.#denial = { part, calls: troubledCalls }
    if (takes(this.#outage, part)) return 'fail-before'
    if (!withoutRights.has(name) && takes(this.#denial, part)) {
      this.wasDenied = true
      return 'denied'
    }
    if (planned === 'fail-before' || planned === 'fail-after') return planned
    if (planned === 'crash') this.kill(place.process)
    if (planned === 'freeze') this.freeze(place.process)
    if (planned) this.onMischief(planned, place)
    return undefined
  }

  /** Lets one call go on; false where nothing waits any more. */
  async advance(): Promise<boolean> {
    for (let i = 0; i < microtasks; i++) await undefined
    if (this.#mayYield) {
      this.#mayYield = false
      await turn() // Whoever is to yield has got there,
      await turn() // and has gone on.
    }
    // Before it counts as standing still, really everything that can go on by itself has.
    if (this.#waiting.every(({ notBefore }) => notBefore === lastOfAll)) await turn()
    this.#thaw(({ until }) => until <= this.turn)
    let next = this.#next()
    if (!next && this.#frozen.length > 0) {
      this.#thaw(() => true)
      return true
    }
    next ??= this.#waiting.shift() // One of the last: others there are none.
    if (!next) return false
    this.turn++
    next.go()
    return true
  }

  #thaw(isOver: (freeze: { readonly process: Process; readonly until: number }) => boolean): void {
    if (this.#frozen.length === 0) return
    const over = this.#frozen.filter(isOver)
    this.#frozen = this.#frozen.filter(freeze => !over.includes(freeze))
    for (const { process } of over) {
      process.isFrozen = this.#frozen.some(freeze => freeze.process === process)
      this.onThaw()
    }
  }

  /** Takes one of the steps whose time has come at random, or, where there is none, one of the late ones. */
  #next(): Step | undefined {
    const able: number[] = []
    const ready: number[] = []
    for (let at = 0; at < this.#waiting.length; at++) {
      const { process, isOnWire, notBefore } = this.#waiting[at]!
      if ((process?.isFrozen && !isOnWire) || notBefore === lastOfAll) continue
      able.push(at)
      if (notBefore <= this.turn) ready.push(at)
    }
    const from = ready.length > 0 ? ready : able
    const at = from[Math.floor(this.random() * from.length)]
    return at === undefined ? undefined : this.#waiting.splice(at, 1)[0]
  }
}

/** A call of an interface with an effect: waits, takes effect, waits, answers. In a crashed process it never ends. */
export async function call<T>(place: Place, name: string, effect: () => T, signal?: AbortSignal): Promise<T> {
  const { schedule, process } = place
  signal?.throwIfAborted()
  const failure = process.isAlive ? schedule.begin(name, place) : undefined
  if (!process.isAlive) return never()
  await schedule.step(name, process, true, signal)
  if (failure === 'fail-before') throw unavailable(name)
  if (failure === 'denied') throw denied(name)
  const result = effect()
  if (!process.isAlive) return never()
  await schedule.step(`${name} answer`, process)
  if (failure === 'fail-after') throw unavailable(name)
  return result
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

export function unavailable(name: string): Retryable {
  return new Retryable('SINK_UNAVAILABLE', `simulated failure of ${name}`)
}

function denied(name: string): Fault {
  const code = deniedCodes[name.slice(0, name.indexOf('.'))] ?? 'SINK_UNAUTHORIZED'
  return new Configuration(code, `simulated lack of the right for ${name}`)
}

const deniedCodes: Readonly<Record<string, ErrorCode>> = {
  source: 'SOURCE_UNAUTHORIZED',
  store: 'CHECKPOINT_REJECTED',
}

/** What a pipeline ends with that lacks a right. */
export const codesOfDenial: ReadonlySet<ErrorCode> = new Set([...Object.values(deniedCodes), 'SINK_UNAUTHORIZED'])
