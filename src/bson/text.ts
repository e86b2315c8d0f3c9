import type { ByteWriter } from './writer.ts'

const BACKSLASH = 0x5c
const LETTER_U = 0x75
const DIGIT_0 = 0x30
const HEX = Uint8Array.from(Buffer.from('0123456789abcdef'))

/** What to do with a byte of text: 0 copy it, 1 write `\u00xx`, 2 part of a longer UTF-8 sequence, else the letter to escape with. */
const COPY = 0
const ESCAPE_NUMBER = 1
const MULTI_BYTE = 2
const ACTION = actions()

/** Runs of plain ASCII at least this long are found first and then copied as a block. */
const BLOCK_COPY_BYTES = 160
/** Longer text is written in steps, so that the room for the worst case (six bytes for one) stays small. */
const STEP_BYTES = 16 * 1024

function actions(): Uint8Array {
  const table = new Uint8Array(256)
  table.fill(ESCAPE_NUMBER, 0, 0x20)
  table.fill(MULTI_BYTE, 0x80)
  for (const [char, letter] of ['\bb', '\tt', '\nn', '\ff', '\rr', '""', '\\\\']) {
    table[char!.charCodeAt(0)] = letter!.charCodeAt(0)
  }
  return table
}

/** How malformed UTF-8 is written. */
export type Malformed = 'replace' | 'keep-apart'

/**
 * Writes the UTF-8 text `source[start, end)` as the inside of a JSON string, quotes not included. Returns how many
 * pieces of it were malformed UTF-8. `replace` writes U+FFFD for each maximal malformed piece, as the WHATWG decoder
 * does. `keep-apart` writes each of its bytes as the lone surrogate `\udcxx`, which no well-formed text can contain,
 * so that different texts never become the same (Python's surrogateescape, PEP 383).
 */
export function writeText(
  out: ByteWriter,
  source: Buffer,
  start: number,
  end: number,
  mode: Malformed = 'replace',
): number {
  const plainEnd = end - start < BLOCK_COPY_BYTES ? copyPlain(out, source, start, end) : start
  return plainEnd === end ? 0 : writeAnyText(out, source, plainEnd, end, mode)
}

/** Copies short text up to the first byte that cannot be copied. Returns where that is: mostly `end`. */
function copyPlain(out: ByteWriter, source: Buffer, start: number, end: number): number {
  out.ensure(end - start)
  const { bytes } = out
  let at = start
  let to = out.length
  while (at < end) {
    const byte = source[at]!
    if (ACTION[byte] !== COPY) break
    bytes[to++] = byte
    at++
  }
  out.length = to
  return at
}

function writeAnyText(out: ByteWriter, source: Buffer, start: number, end: number, mode: Malformed): number {
  let at = start
  let malformed = 0
  while (at < end) {
    const stop = end - at > STEP_BYTES ? at + STEP_BYTES : end
    out.ensure((stop - at) * 6)
    at = writePlain(out, source, at, stop)
    while (at < stop && ACTION[source[at]!] === MULTI_BYTE) {
      const size = sequenceSize(source, at, end)
      out.ensure((stop - at) * 6)
      if (size > 0) {
        copyBytes(out, source, at, at + size)
        at += size
        continue
      }
      malformed++
      if (mode === 'replace') writeReplacement(out)
      else for (let i = at; i < at - size; i++) writeLoneSurrogate(out, source[i]!)
      at -= size
    }
  }
  return malformed
}

/** Writes ASCII, escaped where JSON wants it, up to the first byte that is not ASCII. Returns where that is. */
function writePlain(out: ByteWriter, source: Buffer, start: number, stop: number): number {
  const { bytes } = out
  let at = start
  let to = out.length
  if (stop - start >= BLOCK_COPY_BYTES) {
    while (at < stop && ACTION[source[at]!] === COPY) at++
    to += source.copy(bytes, to, start, at)
  }
  for (; at < stop; at++) {
    const byte = source[at]!
    const action = ACTION[byte]!
    if (action === COPY) {
      bytes[to++] = byte
      continue
    }
    if (action === MULTI_BYTE) break
    bytes[to++] = BACKSLASH
    if (action === ESCAPE_NUMBER) {
      bytes[to++] = LETTER_U
      bytes[to++] = DIGIT_0
      bytes[to++] = DIGIT_0
      bytes[to++] = HEX[byte >> 4]!
      bytes[to++] = HEX[byte & 15]!
    } else bytes[to++] = action
  }
  out.length = to
  return at
}

/**
 * Size of the well-formed UTF-8 sequence at `at`, bytes; where it is malformed, the negative size of the maximal piece
 * that the WHATWG decoder replaces by one U+FFFD (Unicode 15, table 3-7).
 */
function sequenceSize(source: Buffer, at: number, end: number): number {
  const lead = source[at]!
  if (lead < 0xc2 || lead > 0xf4) return -1
  const size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  let least = 0x80
  let most = 0xbf
  if (lead === 0xe0) least = 0xa0
  else if (lead === 0xed) most = 0x9f
  else if (lead === 0xf0) least = 0x90
  else if (lead === 0xf4) most = 0x8f
  for (let i = 1; i < size; i++) {
    const byte = at + i < end ? source[at + i]! : 0
    if (byte < least || byte > most) return -i
    least = 0x80
    most = 0xbf
  }
  return size
}

function copyBytes(out: ByteWriter, source: Buffer, start: number, end: number): void {
  const { bytes } = out
  for (let at = start; at < end; at++) bytes[out.length++] = source[at]!
}

/** U+FFFD in UTF-8. */
function writeReplacement(out: ByteWriter): void {
  out.byte(0xef)
  out.byte(0xbf)
  out.byte(0xbd)
}

function writeLoneSurrogate(out: ByteWriter, byte: number): void {
  out.byte(BACKSLASH)
  out.byte(LETTER_U)
  out.byte(0x64)
  out.byte(0x63)
  writeHexByte(out, byte)
}

/** Writes two lower-case hex digits into room that is ensured. */
export function writeHexByte(out: ByteWriter, byte: number): void {
  out.byte(HEX[byte >> 4]!)
  out.byte(HEX[byte & 15]!)
}

/** Writes `source[start, end)` as lower-case hex. */
export function writeHex(out: ByteWriter, source: Buffer, start: number, end: number): void {
  out.ensure((end - start) * 2)
  const { bytes } = out
  let to = out.length
  for (let at = start; at < end; at++) {
    const byte = source[at]!
    bytes[to++] = HEX[byte >> 4]!
    bytes[to++] = HEX[byte & 15]!
  }
  out.length = to
}
