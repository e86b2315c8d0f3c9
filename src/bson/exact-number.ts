import { type FiniteDecimal, finiteDecimalText, readDecimal } from './decimal128.ts'
import { nonFiniteName } from './digits.ts'
import { DECIMAL128, DOUBLE, INT32 } from './types.ts'

const LEAST_INT64 = -(2n ** 63n)
const MOST_INT64 = 2n ** 63n - 1n
/** 10^309 is above the greatest double. */
const MOST_DOUBLE_EXPONENT = 308
/** 5^49 has more digits than a coefficient: no decimal with more places can be a double. */
const MOST_BINARY_PLACES = 48
const MOST_EXACT_INTEGER = 2n ** 53n

/**
 * The one text of an exact number, whatever type holds it, and its kind:
 * `integer` an integer of the int64 range, bare digits; `double` another number that a double holds exactly, the
 * shortest text that gives this double, with a point or an exponent; `decimal` what only a Decimal128 holds, its text
 * without trailing zeros; `non-finite` NaN, Infinity or -Infinity. Equal numbers give equal text and kind, different
 * numbers different ones. The zeros are one. At most 43 characters, for no exponent is written out beyond a double's.
 */
export interface ExactNumber {
  readonly kind: 'integer' | 'double' | 'decimal' | 'non-finite'
  readonly text: string
}

/** The number of BSON type int32, int64, double or Decimal128 at `at`. */
export function readExactNumber(type: number, source: DataView, at: number): ExactNumber {
  if (type === INT32) return { kind: 'integer', text: source.getInt32(at, true).toString() }
  if (type === DOUBLE) return ofDouble(source.getFloat64(at, true))
  if (type === DECIMAL128) return ofDecimal(readDecimal(source, at))
  return { kind: 'integer', text: source.getBigInt64(at, true).toString() }
}

function ofDouble(value: number): ExactNumber {
  if (!Number.isFinite(value)) return { kind: 'non-finite', text: nonFiniteName(value) }
  if (Number.isSafeInteger(value)) return { kind: 'integer', text: String(value) } // String(-0) is 0.
  if (Number.isInteger(value)) {
    const integer = BigInt(value)
    if (isInt64(integer)) return { kind: 'integer', text: integer.toString() }
  }
  const text = String(value)
  return { kind: 'double', text: /[.e]/.test(text) ? text : `${text}.0` }
}

function isInt64(value: bigint): boolean {
  return value >= LEAST_INT64 && value <= MOST_INT64
}

function ofDecimal(decimal: FiniteDecimal | 'NaN' | 'Infinity' | '-Infinity'): ExactNumber {
  if (typeof decimal === 'string') return { kind: 'non-finite', text: decimal }
  if (decimal.coefficient === 0n) return { kind: 'integer', text: '0' }
  const stripped = withoutTrailingZeros(decimal)
  const integer = asInt64(stripped)
  if (integer !== undefined) return { kind: 'integer', text: integer.toString() }
  const double = asDouble(stripped)
  return double === undefined ? { kind: 'decimal', text: finiteDecimalText(stripped) } : ofDouble(double)
}

function withoutTrailingZeros({ negative, coefficient, exponent }: FiniteDecimal): FiniteDecimal {
  let rest = coefficient
  let power = exponent
  while (rest % 10n === 0n) {
    rest /= 10n
    power++
  }
  return { negative, coefficient: rest, exponent: power }
}

/** The value as an int64, where it is one. */
function asInt64({ negative, coefficient, exponent }: FiniteDecimal): bigint | undefined {
  if (exponent < 0 || exponent > 18) return undefined
  const size = coefficient * 10n ** BigInt(exponent)
  const value = negative ? -size : size
  return isInt64(value) ? value : undefined
}

/** The double of exactly this value, where there is one. `coefficient` has no trailing zero. */
function asDouble({ negative, coefficient, exponent }: FiniteDecimal): number | undefined {
  if (exponent > MOST_DOUBLE_EXPONENT || exponent < -MOST_BINARY_PLACES) return undefined
  const sign = negative ? -1 : 1
  if (exponent >= 0) {
    const integer = coefficient * 10n ** BigInt(exponent)
    const double = Number(integer)
    return Number.isFinite(double) && BigInt(double) === integer ? sign * double : undefined
  }
  // c / 10^k = (c / 5^k) / 2^k: a double where 5^k divides c and the quotient, which is then odd, has at most 53 bits.
  const fives = 5n ** BigInt(-exponent)
  if (coefficient % fives !== 0n) return undefined
  const quotient = coefficient / fives
  return quotient < MOST_EXACT_INTEGER ? (sign * Number(quotient)) / 2 ** -exponent : undefined
}
