/**
 * A signal that aborts with another one, until it is disposed of. For those who end before the other signal does: it
 * would keep them, and all that they hold, for as long as it lives, and so does `AbortSignal.any` where somebody listens.
 */
export class Follower implements Disposable {
  readonly #leader: AbortSignal
  readonly #own = new AbortController()
  readonly #onAbort = (): void => this.#own.abort(this.#leader.reason)

  constructor(leader: AbortSignal) {
    this.#leader = leader
    if (leader.aborted) this.#onAbort()
    else leader.addEventListener('abort', this.#onAbort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#own.signal
  }

  [Symbol.dispose](): void {
    this.#leader.removeEventListener('abort', this.#onAbort)
  }
}
