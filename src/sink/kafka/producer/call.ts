/** One `send`, until the last batch with a record of it is acknowledged. */
export class Call {
  openBatches = 0
  readonly #settled = Promise.withResolvers<void>()
  readonly #signal: AbortSignal
  readonly #onAbort: () => void

  /** `onAbort` is called once, should `signal` abort before the call is settled. */
  constructor(signal: AbortSignal, onAbort: () => void) {
    this.#signal = signal
    this.#onAbort = onAbort
    signal.addEventListener('abort', onAbort, { once: true })
  }

  get settled(): Promise<void> {
    return this.#settled.promise
  }

  resolve(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#settled.resolve()
  }

  reject(reason: unknown): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#settled.reject(reason)
  }
}
