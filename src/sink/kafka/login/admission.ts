import { type Clock, steady } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'

/** Exchanging a password or a certificate everywhere takes a person, or a mounted secret, some minutes. */
const graceMs = 10 * 60_000

/**
 * Whether a refused login is final. One that was never accepted is: the settings are wrong. One that was accepted before
 * may be in the middle of an exchange, where broker and file have the new password at different times: it is tried
 * again for a while, and nothing is lost. One for all connections to a cluster.
 */
export class Admission {
  readonly #clock: Clock
  #wasAccepted = false
  #refusedSinceMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = steady(clock)
  }

  accepted(): void {
    this.#wasAccepted = true
    this.#refusedSinceMs = undefined
  }

  /** The fault to throw in the place of `fault`; what is no refused login passes through. */
  judge(fault: Fault): Fault {
    if (fault.code !== 'SINK_AUTH_FAILED' || !this.#wasAccepted) return fault
    const nowMs = this.#clock.nowMs()
    this.#refusedSinceMs ??= nowMs
    if (nowMs - this.#refusedSinceMs > graceMs) return fault
    return new Retryable('SINK_LOGIN_REFUSED', fault.message, { cause: fault })
  }
}
