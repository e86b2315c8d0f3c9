import { withDeadline } from '../deadline.ts'
import { type Fault, Fenced, Retryable } from '../errors.ts'
import type { WorkerShare, WorkersStatus } from '../status.ts'
import { Membership, type MembershipParts } from './membership.ts'
import type { SlotHolder, Workers } from './workers.ts'

/** For the goodbye at the end; without it the others wait for a session timeout, and nothing else is wrong. */
const leaveLimitMs = 2_000

/** Slots shared out by Kafka's group protocol. Uses up its group, which it disposes of in the end. */
export class GroupWorkers implements Workers {
  readonly #parts: MembershipParts
  #membership: Membership | undefined
  #isStopped = false

  constructor(parts: MembershipParts) {
    this.#parts = parts
  }

  get status(): WorkersStatus {
    const { slots, name } = this.#parts
    const claims = this.#membership?.claims
    const owned = claims?.owned ?? []
    return { coordination: 'kafka', slots, name, state: this.#state, owned, workers: this.#shares(owned) }
  }

  async run(holder: SlotHolder, stop: AbortSignal): Promise<void> {
    using _group = this.#parts.group
    let membership: Membership | undefined
    try {
      do {
        const before = { memberId: membership?.memberId ?? '', workers: membership?.workers ?? [] }
        membership = new Membership(this.#parts, holder, before, stop)
        this.#membership = membership
        const fault = await membership.run()
        if (fault !== undefined) this.#lost(fault)
      } while (!stop.aborted)
    } finally {
      this.#isStopped = true
      await this.#leave(membership?.memberId ?? '')
    }
  }

  get #state(): WorkersStatus['state'] {
    if (this.#isStopped) return 'stopped'
    if (this.#membership?.isSettled !== true) return 'joining'
    const { claims } = this.#membership
    if (claims.releasing.length > 0) return 'releasing'
    return claims.size > 0 ? 'working' : 'standby'
  }

  /** What the group knows, but of ourselves what we know. */
  #shares(owned: readonly number[]): readonly WorkerShare[] {
    const { name, busy } = this.#parts
    const known = this.#membership?.workers ?? []
    const self = known.findIndex(worker => worker.name === name)
    const now = busy()
    const share = { name, owned, ...(now && { busy: now }) }
    return self < 0 ? [...known, share] : known.toSpliced(self, 1, share)
  }

  /** Throws what only a person can mend; else a new membership is tried. */
  #lost(fault: Fault): void {
    if (!(fault instanceof Fenced)) throw fault
    this.#parts.log.warn({ code: fault.code, error: fault }, `${fault.message}; joining it anew`)
  }

  async #leave(memberId: string): Promise<void> {
    if (memberId === '') return
    const { group, clock, log } = this.#parts
    const giveUp = new AbortController()
    const late = () => new Retryable('SINK_UNAVAILABLE', `no answer within ${leaveLimitMs} ms`)
    const limit = { limitMs: leaveLimitMs, late, clock, onEnd: (error: unknown) => giveUp.abort(error) }
    try {
      await withDeadline(group.leave(memberId, giveUp.signal), limit)
    } catch (error) {
      log.debug({ error }, 'the worker group was not told that this worker leaves; it will notice')
    }
  }
}
