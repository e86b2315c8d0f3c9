/**
 * Bounds the bytes in flight (G7). One batch larger than the limit passes when nothing else is in flight, so a
 * limit never blocks for ever.
 */
export class Window {
  readonly #limitBytes: number
  readonly #signal: AbortSignal
  #usedBytes = 0
  #wake: (() => void) | undefined

  /** Once `signal` aborts, nothing more is let in. */
  constructor(limitBytes: number, signal: AbortSignal) {
    if (!(limitBytes > 0)) throw new RangeError(`limitBytes must be positive, got ${limitBytes}`)
    this.#limitBytes = limitBytes
    this.#signal = signal
    signal.addEventListener('abort', () => this.#wake?.(), { once: true })
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /** Waits until `bytes` fit; false where the signal aborted first, and then nothing was taken. One caller at a time. */
  async acquire(bytes: number): Promise<boolean> {
    while (!this.#signal.aborted && this.#usedBytes > 0 && this.#usedBytes + bytes > this.#limitBytes) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    if (this.#signal.aborted) return false
    this.#usedBytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    this.#wake?.()
  }
}
