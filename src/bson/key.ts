import { writeInteger } from './digits.ts'
import { type ExactNumber, readExactNumber } from './exact-number.ts'
import { RelaxedJson } from './extended-json.ts'
import { writeText } from './text.ts'
import { DECIMAL128, DOUBLE } from './types.ts'
import { malformed } from './walk.ts'
import { fixedText } from './writer.ts'

const DOLLAR = 0x24
/** A dollar sign as JSON may also write it. */
const ESCAPED_DOLLAR = fixedText('\\u0024')
const NUMBER_DECIMAL = fixedText('{"$numberDecimal":"')
const NUMBER_DOUBLE = fixedText('{"$numberDouble":"')

/**
 * Canonical and injective key bytes: relaxed Extended JSON in which values that MongoDB holds for equal give the same
 * bytes and values that it tells apart different ones, at every depth.
 *
 * - Numbers are written by exact value, whatever their type (see exact-number.ts): `1`, `0.5`, and as
 *   `{"$numberDecimal":"0.1"}` what no int64 or double holds. `-0` is `0`; NaN and the infinities are one each.
 * - Symbols are written as strings: MongoDB's unique index holds the two for equal.
 * - A leading `$` of a real field name is written `\u0024`, the same character to every JSON reader, so that no
 *   document can pose as an ObjectId, a date or another wrapper.
 * - Bytes that are no UTF-8 become the lone surrogates `\udcxx`, which no well-formed string contains, so that two
 *   damaged strings stay two keys.
 *
 * An old binary (subtype 2) with a false inner length has no canonical form and throws a RangeError.
 */
export class KeyJson extends RelaxedJson {
  protected override double(source: DataView, at: number): void {
    this.number(readExactNumber(DOUBLE, source, at))
  }

  protected override int32(value: number): void {
    writeInteger(this.out, value)
  }

  protected override decimal(source: DataView, at: number): void {
    this.number(readExactNumber(DECIMAL128, source, at))
  }

  protected override symbol(source: DataView, start: number, end: number): void {
    this.quoted(source, start, end)
  }

  protected override name(source: DataView, start: number, end: number): void {
    const isDollar = start < end && source.getUint8(start) === DOLLAR
    if (isDollar) this.out.fixed(ESCAPED_DOLLAR)
    this.text(source, isDollar ? start + 1 : start, end)
  }

  protected override anyText(source: DataView, start: number, end: number): void {
    writeText(this.out, source, start, end, 'keep-apart')
  }

  protected override oddBinary(_source: DataView, start: number): void {
    throw malformed('old binary with a false inner length', start)
  }

  private number({ kind, text }: ExactNumber): void {
    if (kind === 'decimal') this.wrappedText(NUMBER_DECIMAL, text)
    else if (kind === 'non-finite') this.wrappedText(NUMBER_DOUBLE, text)
    else this.out.text(text)
  }
}
