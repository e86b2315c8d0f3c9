import { type Clock, steady } from '../clock.ts'
import { untilAborted } from '../deadline.ts'
import { asFault, type Fault, Fenced, Retryable } from '../errors.ts'
import type { Group, Member } from './group.ts'

/**
 * A rebalance is learned from the answer to a heartbeat, so the pause between two is part of every take-over; one small
 * request a second costs nothing. Kafka's clients use 3 s.
 */
const longestPauseMs = 1_000
/** After a failure: the coordinator may have moved, and the session runs on. */
const retryPauseMs = 100

export interface HeartbeatsParts {
  readonly group: Group
  readonly clock: Clock
  readonly sessionTimeoutMs: number
  /** A new generation is being made: join it. */
  readonly onRebalance: () => void
  /** Called once. The reason of everything that is lost with the membership. */
  readonly onLost: (fault: Fault) => void
}

/** At most a third of the session timeout: two of them may be lost. */
export function heartbeatPauseMs(sessionTimeoutMs: number): number {
  return Math.min(longestPauseMs, sessionTimeoutMs / 3)
}

/**
 * The heartbeats of one membership, and what they prove. They go on while a join is waiting for others: until the new
 * generation is there, the answer vouches for the present one.
 *
 * When for a session timeout no heartbeat was sent that was then answered well, the membership is given up: measured
 * from the sending, so that we stop before the coordinator, which counts from the arrival, gives the slots away. Timers
 * measure it, not the clock, which may be stepped; a frozen process finds them due when it wakes up.
 */
export class Heartbeats implements Disposable {
  readonly #parts: HeartbeatsParts
  readonly #ended = new AbortController()
  /** Who must be told of an answer to a heartbeat that is sent from now on. */
  #waiting: PromiseWithResolvers<void>[] = []
  #member: Member | undefined
  /**
   * False from a join to the answer of its sync. In between `old` says nothing, since the join's answer may be on its
   * way, nor does `rebalance`: we know already.
   */
  #isSettled = false
  /** Ends the wait for the session's end that the newest good heartbeat has begun. */
  #guard: AbortController | undefined
  #pause = new AbortController()

  constructor(parts: HeartbeatsParts) {
    this.#parts = parts
  }

  /** A join is about to be asked. */
  joining(): void {
    this.#isSettled = false
  }

  /** The coordinator has made the member part of a generation: heartbeats are for this one from now on. */
  joined(member: Member): void {
    const isFirst = this.#member === undefined
    this.#member = member
    if (!isFirst) return
    this.#guard = this.#startGuard()
    void this.#run()
  }

  /** The member has its slots in the generation. */
  synced(): void {
    this.#isSettled = true
  }

  /**
   * Resolves when a heartbeat that was sent after this call has found the member in its generation. Rejects with the
   * fault of `onLost` when it is lost first, with the signal's reason when that aborts.
   */
  async confirm(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#ended.signal.throwIfAborted()
    const waiter = Promise.withResolvers<void>()
    waiter.promise.catch(() => {}) // Whoever waited may have gone.
    this.#waiting.push(waiter)
    this.#pause.abort()
    await untilAborted(waiter.promise, signal)
  }

  /** Nothing is sent any more; whoever waits is told that the membership is over. */
  [Symbol.dispose](): void {
    this.#end(new Fenced('WORKERS_LOST', 'this worker has left the group'))
  }

  async #run(): Promise<void> {
    const { clock, sessionTimeoutMs } = this.#parts
    while (!this.#ended.signal.aborted) {
      this.#pause = new AbortController()
      const isWell = await this.#beat()
      const pauseMs = isWell ? heartbeatPauseMs(sessionTimeoutMs) : retryPauseMs
      const woken = AbortSignal.any([this.#pause.signal, this.#ended.signal])
      if (!woken.aborted) await clock.sleep(pauseMs, woken).catch(() => {})
    }
  }

  /** One heartbeat. False: it says nothing. */
  async #beat(): Promise<boolean> {
    const { group, clock, sessionTimeoutMs, onRebalance } = this.#parts
    const member = this.#member!
    const waiting = this.#waiting.splice(0)
    const guard = this.#startGuard()
    const sent = [clock, steady(clock)].map(by => ({ by, atMs: by.nowMs() }))
    const standing = await group.heartbeat(member, this.#ended.signal).catch(asFault)
    // An answer that a frozen process finds when it wakes up was true once. The steady clock may stand still in a machine
    // that sleeps, the time of day may be stepped, which costs one question: so both must agree.
    const isFresh = sent.every(({ by, atMs }) => by.nowMs() - atMs < sessionTimeoutMs)
    const isWell = isFresh && (standing === 'member' || standing === 'rebalance')
    if (isWell && !this.#ended.signal.aborted) {
      this.#guard?.abort()
      this.#guard = guard
      for (const waiter of waiting) waiter.resolve()
      if (standing === 'rebalance' && this.#isSettled && member === this.#member) onRebalance()
      return true
    }
    guard.abort()
    this.#waiting.unshift(...waiting)
    if (this.#ended.signal.aborted) this.#refuseAll()
    else if (standing === 'gone') this.#lose(new Fenced('WORKERS_LOST', 'the group no longer knows this worker'))
    else if (standing === 'old' && member === this.#member && this.#isSettled) {
      this.#lose(new Fenced('WORKERS_LOST', 'the group has gone on without this worker'))
    } else if (standing instanceof Error && !(standing instanceof Retryable)) this.#lose(standing)
    return false
  }

  #startGuard(): AbortController {
    const { clock, sessionTimeoutMs } = this.#parts
    const guard = new AbortController()
    const late = () =>
      this.#lose(
        new Fenced('WORKERS_LOST', `no heartbeat was answered within the session timeout of ${sessionTimeoutMs} ms`),
      )
    clock.sleep(sessionTimeoutMs, guard.signal).then(late, () => {})
    return guard
  }

  #lose(fault: Fault): void {
    if (this.#ended.signal.aborted) return
    this.#end(fault)
    this.#parts.onLost(fault)
  }

  #end(fault: Fault): void {
    this.#ended.abort(fault)
    this.#guard?.abort()
    this.#refuseAll()
  }

  #refuseAll(): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(this.#ended.signal.reason)
  }
}
