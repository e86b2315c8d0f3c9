/**
 * Bytes that may be written after any `ensure` beside those asked for: the fixed text around values, such as
 * `{"$regularExpression":{"pattern":"` or all of a date. So the room is checked once an element, not once a byte.
 */
const SLACK_BYTES = 256
const INITIAL_BYTES = 64 * 1024
/** A larger buffer, grown for one large document, is given back at the next `reset`. */
const RETAINED_BYTES = 4 * 1024 * 1024

/**
 * A growing output buffer, used again for every record. Its fields are open: the functions that write values put
 * bytes at `bytes[length]` themselves, after `ensure`, and must read `bytes` again after every `ensure`.
 */
export class ByteWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  length = 0

  /** Forgets what was written. */
  reset(): void {
    this.length = 0
    if (this.bytes.length > RETAINED_BYTES) this.bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES)
  }

  /** Makes room for `size` bytes and the slack. */
  ensure(size: number): void {
    const needed = this.length + size + SLACK_BYTES
    if (needed <= this.bytes.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  /** Writes one byte into room that is ensured. */
  byte(value: number): void {
    this.bytes[this.length++] = value
  }

  /** Writes a short constant into room that is ensured; see `ascii` for making one. */
  constant(text: Uint8Array): void {
    const { bytes } = this
    let at = this.length
    for (let i = 0; i < text.length; i++) bytes[at++] = text[i]!
    this.length = at
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
  base64(source: Buffer, start: number, end: number): void {
    const text = source.toString('base64', start, end)
    this.ensure(text.length)
    this.length += this.bytes.write(text, this.length, 'latin1')
  }

  /** What was written, in memory of its own. */
  take(): Buffer {
    return Buffer.from(this.bytes.subarray(0, this.length))
  }
}

/** A constant for `ByteWriter.constant`. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}
