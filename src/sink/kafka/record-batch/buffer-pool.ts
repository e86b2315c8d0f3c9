const defaultRetainLimitBytes = 16 << 20
/** A batch begins in the smallest: hundreds may be open at once, most of them with a few records. */
const classBytes = [4, 16, 64, 128, 256, 512, 1_024].map(kib => kib << 10)

/**
 * Reused buffers of a few sizes. What comes back beyond `retainLimitBytes`, or is larger than the largest size, is
 * left to the garbage collector.
 */
export class BufferPool {
  readonly #retainLimitBytes: number
  readonly #free: readonly Buffer[][] = classBytes.map(() => [])
  #retainedBytes = 0

  constructor(retainLimitBytes: number = defaultRetainLimitBytes) {
    this.#retainLimitBytes = retainLimitBytes
  }

  /** Bytes kept for the next `take`. */
  get retainedBytes(): number {
    return this.#retainedBytes
  }

  /** A buffer of at least `bytes`, with whatever is in it. */
  take(bytes: number): Buffer {
    const index = classBytes.findIndex(size => size >= bytes)
    if (index < 0) return Buffer.allocUnsafeSlow(bytes)
    const buffer = this.#free[index]!.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(classBytes[index]!)
    this.#retainedBytes -= buffer.length
    return buffer
  }

  /** Takes back a whole buffer that `take` gave. Its former owner neither reads nor writes it any more. */
  give(buffer: Buffer): void {
    const index = classBytes.indexOf(buffer.length)
    if (index < 0 || this.#retainedBytes + buffer.length > this.#retainLimitBytes) return
    this.#free[index]!.push(buffer)
    this.#retainedBytes += buffer.length
  }
}
