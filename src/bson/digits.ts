import { int32At } from './walk.ts'
import type { ByteWriter } from './writer.ts'

const MINUS = 0x2d
const DIGIT_0 = 0x30
/** The two digits of 0 to 99, one after the other. */
const PAIRS = Uint8Array.from({ length: 200 }, (_, i) => DIGIT_0 + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10))

/** The high half of int64s that a double holds exactly. */
const SAFE_HIGH = 0x200000

/** Writes a safe integer (at most 2^53 in size) into room that is ensured. */
export function writeInteger(out: ByteWriter, value: number): void {
  let rest = value
  if (rest < 0) {
    out.byte(MINUS)
    rest = -rest
  }
  if (rest < 10) {
    out.byte(DIGIT_0 + rest)
    return
  }
  const { bytes } = out
  const end = out.length + digitCount(rest)
  out.length = end
  let at = end
  // Divisions of doubles until int32 arithmetic will do.
  while (rest > 0x7fffffff) {
    const quotient = Math.floor(rest / 100)
    const pair = (rest - quotient * 100) * 2
    bytes[--at] = PAIRS[pair + 1]!
    bytes[--at] = PAIRS[pair]!
    rest = quotient
  }
  let small = rest | 0
  while (small >= 100) {
    const quotient = (small / 100) | 0
    const pair = (small - quotient * 100) << 1
    bytes[--at] = PAIRS[pair + 1]!
    bytes[--at] = PAIRS[pair]!
    small = quotient
  }
  if (small >= 10) bytes[--at] = PAIRS[small * 2 + 1]!
  bytes[--at] = small >= 10 ? PAIRS[small * 2]! : DIGIT_0 + small
}

function digitCount(value: number): number {
  let count = 1
  for (let bound = 10; value >= bound; bound *= 10) count++
  return count
}

/** Writes 0 to 99 as two digits into room that is ensured. */
export function writePair(out: ByteWriter, value: number): void {
  out.byte(PAIRS[value * 2]!)
  out.byte(PAIRS[value * 2 + 1]!)
}

/** Writes the int64 at `at`, exact whatever its size. */
export function writeInt64(out: ByteWriter, source: Buffer, at: number): void {
  const high = int32At(source, at + 4)
  if (high >= -SAFE_HIGH && high < SAFE_HIGH) writeInteger(out, high * 0x1_0000_0000 + (int32At(source, at) >>> 0))
  else out.text(source.readBigInt64LE(at).toString())
}

/**
 * Writes a finite double so that it reads back as the same double and can be told from an integer: always with a point
 * or an exponent (`3.0`, `-0.0`, `0.1`, `1e+300`).
 */
export function writeDouble(out: ByteWriter, value: number): void {
  writeBareDouble(out, value)
  if (Number.isInteger(value) && Math.abs(value) < 1e21 && !Object.is(value, -0)) out.text('.0')
}

/**
 * Writes a finite double as a bare JSON number that reads back as the same double: integers below 1e21 as integers, to
 * the last digit (a JavaScript client stores 1700000000000 as a double, and a reader with an integer field must be able
 * to take it), the rest with the fewest digits; `-0.0` keeps its sign.
 */
export function writeBareDouble(out: ByteWriter, value: number): void {
  if (Object.is(value, -0)) out.text('-0.0')
  else if (Number.isSafeInteger(value)) writeInteger(out, value)
  else if (Number.isInteger(value) && Math.abs(value) < 1e21) out.text(BigInt(value).toString())
  else out.text(String(value)) // From 1e21 on, JavaScript writes an exponent.
}

/** Name of a double that is not finite. */
export function nonFiniteName(value: number): 'NaN' | 'Infinity' | '-Infinity' {
  if (Number.isNaN(value)) return 'NaN'
  return value > 0 ? 'Infinity' : '-Infinity'
}
