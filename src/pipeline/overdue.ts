import type { Clock } from '../clock.ts'

/** Aborts when the time for draining is over: so long after `stop`. Dispose it when nothing is drained any more. */
export class Overdue implements Disposable {
  readonly #over = new AbortController()
  readonly #disposed = new AbortController()

  constructor(stop: AbortSignal, drainMs: number, clock: Clock) {
    void this.#run(stop, drainMs, clock)
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  [Symbol.dispose](): void {
    this.#disposed.abort()
  }

  async #run(stop: AbortSignal, drainMs: number, clock: Clock): Promise<void> {
    try {
      await aborted(stop, this.#disposed.signal)
      await clock.sleep(drainMs, this.#disposed.signal)
      this.#over.abort()
    } catch {
      // Disposed: nobody listens any more.
    }
  }
}

/** Resolves when `signal` aborts; rejects when `cancel` does. */
export function aborted(signal: AbortSignal, cancel: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => resolve(), { once: true, signal: cancel })
    cancel.addEventListener('abort', () => reject(cancel.reason), { once: true })
  })
}
