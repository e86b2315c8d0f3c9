import { UnderWay } from '../../../under-way.ts'

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

/** The calls of one producer that are not settled. */
export class Calls {
  readonly #open = new UnderWay<Call>()

  begin(signal: AbortSignal, onAbort: () => void): Call {
    const call = new Call(signal, onAbort)
    this.#open.begin(call)
    return call
  }

  /** One of the batches that the call waits for is acknowledged. */
  settle(call: Call): void {
    call.openBatches -= 1
    if (call.openBatches === 0 && this.#open.end(call)) call.resolve()
  }

  rejectAll(reason: unknown): void {
    for (const call of this.#open.endAll()) call.reject(reason)
  }
}
