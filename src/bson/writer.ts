/**
 * Bytes that may be written after any `ensure` beside those asked for: the fixed text around values, such as
 * `{"$regularExpression":{"pattern":"` or all of a date. So the room is checked once an element, not once a byte.
 */
const SLACK_BYTES = 256
const INITIAL_BYTES = 64 * 1024
/** A larger buffer, grown for one large document, is given back at the next `reset`. */
const RETAINED_BYTES = 4 * 1024 * 1024

/** A constant in words of four bytes, the last one filled up with zeros. */
export interface FixedBytes {
  readonly words: Int32Array
  /** Bytes of the constant itself. */
  readonly length: number
}

/**
 * A growing output buffer, used again for every record. Its fields are open: the functions that write values put
 * bytes at `bytes[length]` themselves, after `ensure`, and must read `bytes` and `view` again after every `ensure`.
 */
export class ByteWriter {
  bytes: Buffer
  /** The same memory, for writing two or four bytes at a time. */
  view: DataView
  length = 0

  constructor(initialBytes = INITIAL_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(initialBytes)
    this.view = viewOver(this.bytes)
  }

  /** Forgets what was written. */
  reset(): void {
    this.length = 0
    if (this.bytes.length > RETAINED_BYTES) this.use(Buffer.allocUnsafeSlow(INITIAL_BYTES))
  }

  /** Makes room for `size` bytes and the slack. */
  ensure(size: number): void {
    if (this.length + size + SLACK_BYTES > this.bytes.length) this.grow(size)
  }

  /** Writes one byte into room that is ensured. */
  byte(value: number): void {
    this.bytes[this.length++] = value
  }

  /** Writes a constant into room that is ensured; up to three zeros, which are no part of it, fall behind it. */
  fixed({ words, length }: FixedBytes): void {
    const { view } = this
    const start = this.length
    for (let i = 0; i < words.length; i++) view.setInt32(start + i * 4, words[i]!, true)
    this.length = start + length
  }

  /** Writes ASCII text of any length, unescaped. */
  text(text: string): void {
    this.ensure(text.length)
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
    this.length = at
  }

  /** Writes `source[start, end)` as it is. */
  copy(source: Buffer, start: number, end: number): void {
    this.ensure(end - start)
    this.length += source.copy(this.bytes, this.length, start, end)
  }

  /** Writes `source[start, end)` in base64. */
  base64(source: DataView, start: number, end: number): void {
    const text = Buffer.from(source.buffer, source.byteOffset + start, end - start).toString('base64')
    this.ensure(text.length)
    this.length += this.bytes.write(text, this.length, 'latin1')
  }

  /** What was written, in memory of its own. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.length)
    this.bytes.copy(taken, 0, 0, this.length)
    return taken
  }

  private grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.length + size + SLACK_BYTES, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.use(grown)
  }

  private use(bytes: Buffer): void {
    this.bytes = bytes
    this.view = viewOver(bytes)
  }
}

function viewOver(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** A constant for `ByteWriter.fixed`. */
export function fixedBytes(bytes: Uint8Array): FixedBytes {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4)
  padded.set(bytes)
  const words = Int32Array.from({ length: padded.length / 4 }, (_, i) => padded.readInt32LE(i * 4))
  return { words, length: bytes.length }
}

/** A constant of ASCII text for `ByteWriter.fixed`. */
export function fixedText(text: string): FixedBytes {
  return fixedBytes(Buffer.from(text, 'latin1'))
}
