import { type BusyRatios, bottleneck } from '../busy.ts'
import { type Clock, steady } from '../clock.ts'
import { asFault, type Fault, Fenced, Retryable } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import { backOffMs } from '../retry.ts'
import { Claims } from './claims.ts'
import type { Group, JoinAnswer, Member, Standing } from './group.ts'
import { Heartbeats } from './heartbeats.ts'
import { decide } from './leader.ts'
import { type Decision, readDecision, writeClaim } from './messages.ts'
import type { Pauses } from './pauses.ts'
import type { SlotHolder } from './workers.ts'

const joinBackOff = { initialMs: 100, maxMs: 1_000 }
/**
 * How busy a worker is travels with its claims, and where nothing moves there are no rounds. So whoever is limited by
 * something else than it last said asks for one, at the earliest this long after the last: it costs the group an answer
 * of everybody and moves nothing, and people who look at the workers do not see yesterday's figures.
 */
const newsAfterMs = 120_000

export interface MembershipParts {
  readonly slots: number
  /** This worker's. */
  readonly name: string
  readonly group: Group
  readonly sessionTimeoutMs: number
  readonly busy: () => BusyRatios | undefined
  readonly pauses: Pauses
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/**
 * One membership of this worker in its group, from the first join until it has left or was put out.
 *
 * A round is a join and its sync. Slots are worked on all the while; only those that the round takes away are given
 * back, and when nothing of them is in flight any more the next round is asked for, with the smaller claim: only then
 * can somebody else get them. A round never waits for this: a worker that is still giving back joins and says so.
 * (Rejected: to join when all is given back, with a rebalance timeout as long as the drain limit. Then one slow pipeline
 * keeps the slots of a dead worker from everybody.)
 */
export class Membership {
  readonly claims: Claims
  readonly #parts: MembershipParts
  readonly #heartbeats: Heartbeats
  readonly #stop: AbortSignal
  /** The membership is lost, or there is nothing left to do. */
  readonly #over = new AbortController()
  #fault: Fault | undefined
  #losing: Promise<void> | undefined
  #memberId: string
  #generation = -1
  #workers: Decision['workers']
  #needsRound = true
  /** Rings when the loop has something to look at. */
  #bell = Promise.withResolvers<void>()
  #failures = 0
  /** What the others were told in the last claim, and when, by the steady clock. */
  #told: { readonly limit: string; readonly atMs: number } | undefined

  /** `memberId`: from a membership before, or empty; `workers`: what is known from there. */
  constructor(
    parts: MembershipParts,
    holder: SlotHolder,
    before: { readonly memberId: string; readonly workers: Decision['workers'] },
    stop: AbortSignal,
  ) {
    this.#parts = parts
    this.#memberId = before.memberId
    this.#workers = before.workers
    this.#stop = stop
    this.claims = new Claims(holder, () => this.#onReleased())
    const { group, clock, sessionTimeoutMs } = parts
    const onLost = (fault: Fault) => this.#lose(fault)
    this.#heartbeats = new Heartbeats({ group, clock, sessionTimeoutMs, onRebalance: () => this.#askRound(), onLost })
  }

  /** Empty: the coordinator knows of none. */
  get memberId(): string {
    return this.#memberId
  }

  /** Whether a round has ever come to its end. */
  get isSettled(): boolean {
    return this.#generation >= 0
  }

  /** Everybody, by the newest decision. */
  get workers(): Decision['workers'] {
    return this.#workers
  }

  /**
   * Takes and gives back slots until the membership is lost, which resolves to why, or `stop` has aborted and nothing
   * is claimed any more. In both cases nothing of it is left running.
   */
  async run(): Promise<Fault | undefined> {
    const onStop = () => this.#onStop()
    this.#stop.addEventListener('abort', onStop, { once: true })
    this.#parts.pauses.onOrder = () => this.#askRound()
    if (this.#stop.aborted) onStop()
    void this.#tellNews()
    try {
      while (!this.#over.signal.aborted) {
        if (this.#needsRound) await this.#attempt()
        else await this.#bell.promise
      }
      await this.#losing
      return this.#fault
    } finally {
      this.#stop.removeEventListener('abort', onStop)
      this.#parts.pauses.onOrder = () => {} // The next join tells of it.
      this.#heartbeats[Symbol.dispose]()
    }
  }

  async #attempt(): Promise<void> {
    const { clock, log } = this.#parts
    this.#needsRound = false
    try {
      await this.#round()
      this.#failures = 0
    } catch (error) {
      if (this.#over.signal.aborted) return
      if (!(error instanceof Retryable)) return this.#lose(asFault(error))
      this.#needsRound = true
      this.#failures += 1
      if (this.#failures === 1) log.warn({ error }, 'the worker group cannot be joined at present; trying on')
      await clock.sleep(backOffMs(joinBackOff, this.#failures, clock), this.#over.signal).catch(() => {})
    }
  }

  async #round(): Promise<void> {
    const { slots, group, log } = this.#parts
    const signal = this.#over.signal
    this.#heartbeats.joining()
    const joined = await this.#join()
    const member: Member = { memberId: joined.memberId, generation: joined.generation }
    this.#heartbeats.joined(member)
    const decisions = joined.members === undefined ? new Map() : decide(slots, joined.members, this.#workers, log)
    const answer = await group.sync(member, decisions, signal)
    signal.throwIfAborted()
    if (answer.outcome === 'rebalance') return this.#askRound()
    if (answer.outcome !== 'assigned') return this.#refused(answer.outcome)
    this.#heartbeats.synced()
    this.#obey(member, understood(answer.assignment))
  }

  async #join(): Promise<Extract<JoinAnswer, { outcome: 'joined' }>> {
    const { group } = this.#parts
    for (;;) {
      const answer = await group.join(this.#memberId, this.#claim(), this.#over.signal)
      this.#over.signal.throwIfAborted()
      if (answer.outcome === 'joined') {
        this.#memberId = answer.memberId
        return answer
      }
      if (answer.outcome === 'named') this.#memberId = answer.memberId
      else if (answer.outcome === 'gone' && this.#memberId !== '' && this.claims.size === 0) this.#memberId = ''
      else this.#refused(answer.outcome)
    }
  }

  /** Throws: Fenced where the member is out, Retryable where another round is all it takes. */
  #refused(standing: Exclude<Standing, 'member'>): never {
    if (standing === 'rebalance') throw new Retryable('SINK_UNAVAILABLE', 'the worker group is being shared out anew')
    if (standing === 'gone') this.#memberId = ''
    throw new Fenced('WORKERS_LOST', 'the group has gone on without this worker')
  }

  #claim(): Buffer {
    const { owned, releasing } = this.claims
    const { name, busy, pauses, clock } = this.#parts
    const claims = { owned, releasing, generation: this.#generation, leaving: this.#stop.aborted }
    const ratios = busy()
    this.#told = { limit: limitOf(ratios), atMs: steady(clock).nowMs() }
    return writeClaim({ name, ...claims, busy: ratios, pauses: pauses.orders })
  }

  /** Asks for a round when the others should know something else than what they were told; ends with the membership. */
  async #tellNews(): Promise<void> {
    const { clock, busy } = this.#parts
    while (!this.#over.signal.aborted) {
      const sinceMs = this.#told === undefined ? 0 : steady(clock).nowMs() - this.#told.atMs
      const waitMs = sinceMs < newsAfterMs ? newsAfterMs - sinceMs : newsAfterMs
      await clock.sleep(waitMs, this.#over.signal).catch(() => {}) // Aborted: the loop ends.
      if (this.#over.signal.aborted || this.#stop.aborted || this.#told === undefined) continue
      const isDue = steady(clock).nowMs() - this.#told.atMs >= newsAfterMs
      if (isDue && limitOf(busy()) !== this.#told.limit) this.#askRound()
    }
  }

  #obey({ generation }: Member, { owned, workers, pauses }: Decision): void {
    this.#generation = generation
    this.#workers = workers
    this.#parts.pauses.hear(pauses) // First: what is paused does not begin on the slots that come.
    this.claims.keepOnly(owned, 'handing-over')
    // A worker that stops takes nothing more; what it was given is free again when it has left.
    if (!this.#stop.aborted) this.claims.take(owned, signal => this.#heartbeats.confirm(signal))
    this.#report()
  }

  #onReleased(): void {
    this.#report()
    if (this.#stop.aborted) this.#endIfDone()
    else this.#askRound()
  }

  #onStop(): void {
    this.claims.keepOnly([], 'stopping')
    this.#report()
    this.#endIfDone()
  }

  #endIfDone(): void {
    if (this.claims.size === 0) this.#over.abort()
    this.#ring()
  }

  #askRound(): void {
    this.#needsRound = true
    this.#ring()
  }

  #lose(fault: Fault): void {
    if (this.#over.signal.aborted) return
    this.#parts.meter.count('fenced_total', {}, this.claims.size)
    this.#fault = fault
    this.#over.abort(fault)
    // In this very turn: from now on no lease may be good.
    this.#losing = this.claims.lose(fault)
    this.#ring()
  }

  #report(): void {
    this.#parts.meter.gauge('slots_owned', {}, this.claims.size)
  }

  #ring(): void {
    const bell = this.#bell
    this.#bell = Promise.withResolvers()
    bell.resolve()
  }
}

/** In a word: figures change all the time, and what limits seldom does. */
function limitOf(busy: BusyRatios | undefined): string {
  return (busy && bottleneck(busy)?.stage) ?? 'nothing'
}

/** Throws Retryable: a leader that makes sense will decide anew. */
function understood(assignment: Buffer): Decision {
  try {
    return readDecision(assignment)
  } catch (cause) {
    const message = "the decision of the worker group's leader cannot be read"
    throw new Retryable('SINK_UNAVAILABLE', message, { cause })
  }
}
