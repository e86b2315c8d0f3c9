/** An answer that is not what its API and version say. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer'
}

/** Reads the types of Kafka's protocol one after the other, compact ones for flexible versions. Throws MalformedAnswer. */
export class AnswerReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  skip(length: number): void {
    this.#take(length)
  }

  string(): string {
    const text = this.nullableString()
    if (text === null) throw new MalformedAnswer('a string is null where it may not be')
    return text
  }

  nullableString(): string | null {
    const length = this.int16()
    if (length < 0) return null
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** A copy; null counts as empty. */
  bytes(): Buffer {
    const length = this.int32()
    if (length <= 0) return Buffer.alloc(0)
    const start = this.#take(length)
    return Buffer.from(this.#bytes.subarray(start, start + length))
  }

  /** An array; null counts as empty. */
  array<T>(element: (reader: this) => T): T[] {
    const count = this.int32()
    // No element of any answer is empty: a count beyond the rest of the bytes would only fill the memory.
    if (count > this.#bytes.length - this.#at) throw new MalformedAnswer(`an array of ${count} elements is cut off`)
    const elements: T[] = []
    for (let i = 0; i < count; i += 1) elements.push(element(this))
    return elements
  }

  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
    throw new MalformedAnswer('a length that is longer than the answer can be')
  }

  compactString(): string {
    const length = this.unsignedVarint() - 1
    if (length < 0) throw new MalformedAnswer('a string is null where it may not be')
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  skipTaggedFields(): void {
    for (let left = this.unsignedVarint(); left > 0; left -= 1) {
      this.unsignedVarint() // tag
      this.skip(this.unsignedVarint())
    }
  }

  #take(length: number): number {
    const start = this.#at
    if (start + length > this.#bytes.length) throw new MalformedAnswer(`the answer ends after ${start} bytes`)
    this.#at += length
    return start
  }
}
