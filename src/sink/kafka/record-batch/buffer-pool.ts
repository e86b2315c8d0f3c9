const defaultRetainLimitBytes = 16 << 20
/** A batch begins in the smallest: hundreds may be open at once, most of them with a few records. */
const classBytes = [4, 8, 16, 32, 64, 128, 256, 512, 1_024].map(kib => kib << 10)

/**
 * Reused buffers of a few sizes, of at most `retainLimitBytes`. What comes back beyond that takes the place of buffers of
 * the size that was wanted least recently: after a burst of large batches, the small ones that follow must not be made
 * anew for ever. Larger ones than the largest size are left to the garbage collector.
 */
export class BufferPool {
  readonly #retainLimitBytes: number
  readonly #free: readonly Buffer[][] = classBytes.map(() => [])
  /** When each size was wanted last, in calls of `take`. */
  readonly #wantedAt = classBytes.map(() => 0)
  #takes = 0
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
    this.#takes += 1
    this.#wantedAt[index] = this.#takes
    const buffer = this.#free[index]!.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(classBytes[index]!)
    this.#retainedBytes -= buffer.length
    return buffer
  }

  /** Takes back a whole buffer that `take` gave. Its former owner neither reads nor writes it any more. */
  give(buffer: Buffer): void {
    const index = classBytes.indexOf(buffer.length)
    if (index < 0 || !this.#makeRoom(buffer.length, index)) return
    this.#free[index]!.push(buffer)
    this.#retainedBytes += buffer.length
  }

  /** Drops buffers of sizes that were wanted before that of `index` was. False where that does not suffice. */
  #makeRoom(bytes: number, index: number): boolean {
    while (this.#retainedBytes + bytes > this.#retainLimitBytes) {
      const dropped = this.#leastWantedBefore(this.#wantedAt[index]!)?.pop()
      if (dropped === undefined) return false
      this.#retainedBytes -= dropped.length
    }
    return true
  }

  #leastWantedBefore(take: number): Buffer[] | undefined {
    let [least, leastAt]: [Buffer[] | undefined, number] = [undefined, take]
    for (const [i, free] of this.#free.entries()) {
      const wantedAt = this.#wantedAt[i]!
      if (free.length === 0 || wantedAt >= leastAt) continue
      least = free
      leastAt = wantedAt
    }
    return least
  }
}
