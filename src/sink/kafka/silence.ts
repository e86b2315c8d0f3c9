import { type Clock, steady } from '../../clock.ts'
import { Alarm } from './producer/alarm.ts'

/**
 * A broker that has answered nothing for so long may be frozen, and others may do its work by now: worth a question to
 * another broker. Waiting until a request times out would outlast a transaction. Shorter than a pause of a broker's
 * garbage collector it must not be, or well brokers are asked about all the time.
 */
export const silenceMs = 1_500

/** Listens to one connection on which requests are outstanding. */
export class Silence {
  readonly #clock: Clock
  readonly #onSilence: () => void
  readonly #alarm: Alarm
  #outstanding = 0
  /** When it began, something was heard last, the first of the outstanding requests went, or `onSilence` was called. */
  #sinceMs: number
  #isSilent = false
  #wasQuiet = false

  /** `onSilence`: for `silenceMs` nothing was heard though something was asked; again whenever as long has passed. */
  constructor(clock: Clock, onSilence: () => void) {
    this.#clock = steady(clock)
    this.#onSilence = onSilence
    this.#alarm = new Alarm(this.#clock, () => this.#listen())
    this.#sinceMs = this.#clock.nowMs()
  }

  /** Nothing was heard since `onSilence` was called. */
  get isSilent(): boolean {
    return this.#isSilent
  }

  /**
   * Nothing was heard since the first of the outstanding requests went, nor for `silenceMs` before it: nobody would have
   * noticed if the connection had died meanwhile without a word, as it does where a firewall or a network forgets it.
   */
  get wasQuiet(): boolean {
    return this.#wasQuiet
  }

  /** How long nothing was heard. */
  get quietMs(): number {
    return this.#clock.nowMs() - this.#sinceMs
  }

  /** Requests without an answer. */
  get outstanding(): number {
    return this.#outstanding
  }

  /** A request goes. */
  asked(): void {
    if (this.#outstanding === 0) {
      this.#wasQuiet = this.quietMs >= silenceMs
      this.#begin()
    }
    this.#outstanding += 1
    this.#alarm.set(this.#sinceMs + silenceMs)
  }

  /** Nobody waits for one of the answers any more: it came, or is of no interest. */
  settled(): void {
    this.#outstanding -= 1
  }

  /** Anything was heard. */
  heard(): void {
    this.#wasQuiet = false
    this.#begin()
  }

  stop(): void {
    this.#alarm.stop()
  }

  #begin(): void {
    this.#sinceMs = this.#clock.nowMs()
    this.#isSilent = false
  }

  #listen(): void {
    if (this.#outstanding === 0) return
    const nowMs = this.#clock.nowMs()
    if (nowMs >= this.#sinceMs + silenceMs) {
      this.#sinceMs = nowMs
      this.#isSilent = true
      this.#onSilence()
    }
    if (this.#outstanding > 0) this.#alarm.set(this.#sinceMs + silenceMs)
  }
}
