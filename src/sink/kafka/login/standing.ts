import type { Clock } from '../../../clock.ts'
import { Retryable } from '../../../errors.ts'
import { type ApiVersions, apiVersionsRequest } from '../protocol/api-versions.ts'
import type { Admission } from './admission.ts'
import { type Ask, logIn } from './log-in.ts'
import type { Login } from './login.ts'

/** A login is renewed when this part of its session is over, and up to `spread` later: not all connections at once. */
const renewAt = { share: 0.7, spread: 0.15 }

export interface StandingParts {
  readonly login: Login | undefined
  readonly admission: Admission | undefined
  readonly clock: Clock
  readonly ask: Ask
  /** `isHeld` may be another. */
  readonly onChange: () => void
  /** The connection is of no more use. */
  readonly onFailure: (error: unknown) => void
}

/**
 * How one connection stands with its broker: logged in, logging in anew before its session ends (KIP-368), or about to
 * be given up for one with newer certificates. Requests are held meanwhile; those that were sent before are answered.
 */
export class Standing {
  readonly #parts: StandingParts
  readonly #ended = new AbortController()
  #versions: ApiVersions | undefined
  #isLoggingIn = false
  #isLeaving = false

  constructor(parts: StandingParts) {
    this.#parts = parts
  }

  /** Nothing but the login may be sent. */
  get isHeld(): boolean {
    return this.#isLoggingIn || this.#isLeaving
  }

  /** The first login. Throws a Fault, or what `ask` throws. */
  async begin(): Promise<void> {
    if (this.#parts.login !== undefined) await this.#logIn(this.#parts.login)
  }

  /** After `replaced` has aborted the connection ends within `withinMs`, as soon as nothing is outstanding. */
  giveUpAfter(replaced: AbortSignal, withinMs: number): void {
    const { clock } = this.#parts
    const leave = () => {
      const waiting = clock.sleep(clock.random() * withinMs, this.#ended.signal)
      waiting.then(
        () => {
          this.#isLeaving = true
          this.#parts.onChange()
        },
        () => {}, // Ended before.
      )
    }
    if (replaced.aborted) leave()
    else replaced.addEventListener('abort', leave, { once: true, signal: this.#ended.signal })
  }

  /** So many requests are now without their answers. */
  settled(outstanding: number): void {
    if (!this.#isLeaving || outstanding > 0) return
    this.#parts.onFailure(new Retryable('SINK_UNAVAILABLE', 'Kafka: a new connection takes the new certificates'))
  }

  end(): void {
    this.#ended.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: the connection has ended'))
  }

  async #logIn(login: Login): Promise<void> {
    const { ask, admission, onChange } = this.#parts
    const dialogue = login.begin(this.#ended.signal)
    let sessionMs: number
    try {
      this.#versions ??= await ask(apiVersionsRequest())
      const first = await dialogue.next() // A token may have to be fetched: requests go on meanwhile.
      this.#isLoggingIn = true
      sessionMs = await logIn(ask, login, { dialogue, first, versions: this.#versions })
      admission?.accepted()
    } finally {
      this.#isLoggingIn = false
    }
    onChange()
    if (sessionMs > 0) void this.#renew(login, sessionMs)
  }

  async #renew(login: Login, sessionMs: number): Promise<void> {
    const { clock, onFailure } = this.#parts
    try {
      await clock.sleep(sessionMs * (renewAt.share + renewAt.spread * clock.random()), this.#ended.signal)
      await this.#logIn(login)
    } catch (error) {
      if (!this.#ended.signal.aborted) onFailure(error)
    }
  }
}
