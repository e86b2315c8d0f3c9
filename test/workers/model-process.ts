import type { Clock } from '../../src/clock.ts'
import { Retryable } from '../../src/errors.ts'
import type { Group, JoinAnswer, Member, Standing, SyncAnswer } from '../../src/workers/group.ts'
import type { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'
import type { ModelCoordinator } from './model-coordinator.ts'

/** For the answer to a heartbeat, and for one to a join or sync. */
interface Limits {
  readonly promptMs: number
  readonly patientMs: number
}

type Answer<T> = (answer: T) => void

/**
 * A process with a clock and a connection, that can be frozen, cut off from the network and killed. Whatever reaches it
 * while it is frozen it finds, in any order, when it wakes up; what is sent while it is cut off arrives later, if
 * nobody has given up on it by then.
 */
export class ModelProcess implements Clock {
  readonly name: string
  readonly time: VirtualTime
  readonly #coordinator: () => ModelCoordinator | undefined
  readonly #limits: Limits
  #isDead = false
  #frozen: (() => void)[] | undefined
  #cut: (() => void)[] | undefined
  /** Breaks the connections. */
  #breaks = new Set<() => void>()
  thawedAtMs = 0

  constructor(name: string, time: VirtualTime, coordinator: () => ModelCoordinator | undefined, limits: Limits) {
    this.name = name
    this.time = time
    this.#coordinator = coordinator
    this.#limits = limits
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get isFrozen(): boolean {
    return this.#frozen !== undefined
  }

  get isCut(): boolean {
    return this.#cut !== undefined
  }

  kill(): void {
    this.#isDead = true
  }

  freeze(): void {
    this.#frozen ??= []
  }

  thaw(): void {
    const found = this.#frozen ?? []
    this.#frozen = undefined
    this.thawedAtMs = this.time.nowMs()
    for (const happen of found) this.time.after(this.time.between(0, 1), () => this.#enter(happen))
  }

  cutOff(): void {
    this.#cut ??= []
  }

  heal(): void {
    const held = this.#cut ?? []
    this.#cut = undefined
    for (const send of held) send()
  }

  /** Whoever waits for the coordinator is told that the connection is gone. */
  disconnect(): void {
    for (const breakIt of [...this.#breaks]) breakIt()
  }

  nowMs(): number {
    return this.time.nowMs()
  }

  random(): number {
    return this.time.random()
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const callOff = this.time.after(ms, () => this.#enter(resolve))
      signal?.addEventListener('abort', () => {
        callOff()
        reject(signal.reason)
      })
    })
  }

  /** A connection to the coordinator. */
  group(): Group {
    return {
      join: (memberId, metadata, signal) =>
        this.#ask<JoinAnswer>(this.#limits.patientMs, signal, (to, reply) => to.join(memberId, metadata, reply)),
      sync: (member, assignments, signal) =>
        this.#ask<SyncAnswer>(this.#limits.patientMs, signal, (to, reply) => to.sync(member, assignments, reply)),
      heartbeat: (member: Member, signal) =>
        this.#ask<Standing>(this.#limits.promptMs, signal, (to, reply) => reply(to.heartbeat(member))),
      leave: (memberId, signal) =>
        this.#ask<void>(this.#limits.promptMs, signal, (to, reply) => reply(to.leave(memberId))),
      [Symbol.dispose]() {},
    }
  }

  /** What happens to the process: now, when it wakes up, or never. */
  #enter(happen: () => void): void {
    if (this.#isDead) return
    if (this.#frozen === undefined) happen()
    else this.#frozen.push(happen)
  }

  #ask<T>(
    limitMs: number,
    signal: AbortSignal,
    question: (to: ModelCoordinator, reply: Answer<T>) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const { term } = this.#coordinator() ?? {}
      let isOver = false
      const end = (settle: () => void) => {
        isOver = true
        callOffLimit()
        this.#breaks.delete(breakIt)
        this.#enter(settle)
      }
      const fail = () => end(() => reject(new Retryable('SINK_UNAVAILABLE', 'no answer')))
      const breakIt = () => this.#travel(fail)
      const callOffLimit = this.time.after(limitMs, fail)
      this.#breaks.add(breakIt)
      signal.addEventListener('abort', () => reject(signal.reason))
      this.#travel(() => {
        const coordinator = this.#coordinator()
        if (isOver) return // What is closed delivers nothing any more.
        if (coordinator === undefined || coordinator.term !== term) return this.#travel(fail)
        question(coordinator, answer => this.#travel(() => end(() => resolve(answer))))
      })
    })
  }

  /** Over the network, in either direction; mostly quick, now and then not. */
  #travel(arrive: () => void): void {
    const ms = this.time.random() < 0.05 ? this.time.between(0, 400) : this.time.between(0, 5)
    this.time.after(ms, () => {
      if (this.#cut === undefined) arrive()
      else this.#cut.push(arrive)
    })
  }
}
