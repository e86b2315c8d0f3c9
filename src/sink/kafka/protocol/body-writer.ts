/** Writes the types of Kafka's protocol one after the other, compact ones for flexible versions: bodies of small requests. */
export class BodyWriter {
  readonly #parts: Buffer[] = []

  /** What was written so far, as one part. */
  get bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }

  int8(value: number): this {
    return this.#fixed(1, part => part.writeInt8(value))
  }

  int16(value: number): this {
    return this.#fixed(2, part => part.writeInt16BE(value))
  }

  int32(value: number): this {
    return this.#fixed(4, part => part.writeInt32BE(value))
  }

  int64(value: bigint): this {
    return this.#fixed(8, part => part.writeBigInt64BE(value))
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0)
  }

  /** null where the protocol has a NULLABLE_STRING. */
  string(text: string | null): this {
    if (text === null) return this.int16(-1)
    const bytes = Buffer.from(text)
    this.int16(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  /** BYTES: with the length before them. */
  byteArray(bytes: Buffer): this {
    this.int32(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  array<T>(elements: readonly T[], element: (value: T) => void): this {
    this.int32(elements.length)
    for (const value of elements) element(value)
    return this
  }

  /** What precedes the elements of a COMPACT_ARRAY, or the bytes of a COMPACT_STRING. */
  compactLength(length: number): this {
    let rest = length + 1 // 0 is null.
    for (; rest > 127; rest >>>= 7) this.#fixed(1, part => part.writeUInt8((rest & 127) | 128))
    return this.#fixed(1, part => part.writeUInt8(rest))
  }

  compactString(text: string): this {
    const bytes = Buffer.from(text)
    this.compactLength(bytes.length)
    this.#parts.push(bytes)
    return this
  }

  noTaggedFields(): this {
    return this.int8(0)
  }

  #fixed(size: number, write: (part: Buffer) => void): this {
    const part = Buffer.allocUnsafe(size)
    write(part)
    this.#parts.push(part)
    return this
  }
}
