/** A field name to look for, compared four bytes at a time. */
export class FieldName {
  /** Bytes of the name and of the zero byte behind it. */
  readonly size: number
  readonly #words: Int32Array
  /** Selects the bytes of the last word that are the name's. */
  readonly #lastMask: number

  constructor(name: string) {
    this.size = Buffer.byteLength(name) + 1
    const bytes = Buffer.alloc(Math.ceil(this.size / 4) * 4)
    bytes.write(name)
    this.#words = Int32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readInt32LE(i * 4))
    this.#lastMask = -1 >>> (8 * (bytes.length - this.size))
  }

  /** Whether the name and its zero byte are at `at`. */
  isAt(source: DataView, at: number): boolean {
    const words = this.#words
    const last = words.length - 1
    if (at + 4 * words.length > source.byteLength) return this.#isAtEnd(source, at)
    for (let i = 0; i < last; i++) if (source.getInt32(at + i * 4, true) !== words[i]) return false
    return (source.getInt32(at + last * 4, true) & this.#lastMask) === words[last]
  }

  /** The same where the last word would reach beyond the buffer. */
  #isAtEnd(source: DataView, at: number): boolean {
    if (at + this.size > source.byteLength) return false
    for (let i = 0; i < this.size; i++) {
      if (source.getUint8(at + i) !== ((this.#words[i >> 2]! >>> (8 * (i & 3))) & 0xff)) return false
    }
    return true
  }
}
