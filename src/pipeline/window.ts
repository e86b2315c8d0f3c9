/**
 * Bounds the bytes in flight (G7). One batch larger than the limit passes when nothing else is in flight, so a
 * limit never blocks for ever. It may begin smaller and grows with what is delivered, as TCP's slow start does.
 */
export class Window {
  readonly #mostBytes: number
  #limitBytes: number
  #closed: boolean
  #usedBytes = 0
  #wake: (() => void) | undefined

  /** Once `signal` aborts, nothing more is let in. */
  constructor(limitBytes: number, signal: AbortSignal, firstBytes = limitBytes) {
    if (!(limitBytes > 0)) throw new RangeError(`limitBytes must be positive, got ${limitBytes}`)
    this.#mostBytes = limitBytes
    this.#limitBytes = Math.min(firstBytes, limitBytes)
    // Asked for every batch, while a signal made of others asks each of these.
    this.#closed = signal.aborted
    const close = (): void => {
      this.#closed = true
      this.#wake?.()
    }
    signal.addEventListener('abort', close, { once: true })
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  /**
   * Waits until `bytes` fit, and calls `onFull` each time they do not. false where the signal aborted first, and then
   * nothing was taken. One caller at a time.
   */
  async acquire(bytes: number, onFull?: () => void): Promise<boolean> {
    while (!this.#closed && !this.#fits(bytes)) {
      onFull?.()
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#wake = resolve
      await promise
    }
    if (this.#closed) return false
    this.#usedBytes += bytes
    return true
  }

  /** `bytes` are delivered: there is room for as many more. */
  grow(bytes: number): void {
    this.#limitBytes = Math.min(this.#limitBytes + bytes, this.#mostBytes)
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes
    this.#wake?.()
  }

  #fits(bytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + bytes <= this.#limitBytes
  }
}
