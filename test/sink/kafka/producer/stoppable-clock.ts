import type { Clock } from '../../../../src/clock.ts'

/** A clock of a process that can be stopped as by SIGSTOP: time passes, and nobody wakes before it goes on. */
export class StoppableClock implements Clock {
  readonly #clock: Clock
  #stopped: PromiseWithResolvers<void> | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  stop(): void {
    this.#stopped ??= Promise.withResolvers()
  }

  goOn(): void {
    this.#stopped?.resolve()
    this.#stopped = undefined
  }

  nowMs(): number {
    return this.#clock.nowMs()
  }

  random(): number {
    return this.#clock.random()
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    await this.#clock.sleep(ms, signal)
    await this.#stopped?.promise
    signal?.throwIfAborted()
  }
}
