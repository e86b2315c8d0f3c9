import { writeDecimal } from './decimal128.ts'
import { nonFiniteName, writeDouble, writeInt64, writeInteger } from './digits.ts'
import { isRelaxedDate, writeIsoDate } from './iso-date.ts'
import { CLOSE_BRACE, JsonTranscoder, QUOTE, writeTimestamp } from './json.ts'
import { writeHexByte } from './text.ts'
import { type FixedBytes, fixedText } from './writer.ts'

const NUMBER_INT = fixedText('{"$numberInt":"')
const NUMBER_LONG = fixedText('{"$numberLong":"')
const NUMBER_DOUBLE = fixedText('{"$numberDouble":"')
const NUMBER_DECIMAL = fixedText('{"$numberDecimal":"')
const OID = fixedText('{"$oid":')
const DATE = fixedText('{"$date":')
const BINARY = fixedText('{"$binary":{"base64":"')
const SUBTYPE = fixedText('","subType":"')
const REGEX = fixedText('{"$regularExpression":{"pattern":')
const OPTIONS = fixedText(',"options":')
const TIMESTAMP = fixedText('{"$timestamp":')
const SYMBOL = fixedText('{"$symbol":')
const CODE = fixedText('{"$code":')
const UNDEFINED = fixedText('{"$undefined":true}')
const DB_POINTER = fixedText('{"$dbPointer":{"$ref":')
const ID = fixedText(',"$id":{"$oid":')

/**
 * Format `extended-json`: MongoDB's relaxed Extended JSON v2. Numbers are bare and exact, int64s above 2^53 too (a
 * reader that keeps numbers as doubles needs `canonical-json`); doubles show a point or an exponent.
 */
export class RelaxedJson extends JsonTranscoder {
  protected double(source: DataView, at: number): void {
    const value = source.getFloat64(at, true)
    if (Number.isFinite(value)) writeDouble(this.out, value)
    else this.wrappedText(NUMBER_DOUBLE, nonFiniteName(value))
  }

  protected int32(value: number): void {
    writeInteger(this.out, value)
  }

  protected int64(source: DataView, at: number): void {
    writeInt64(this.out, source, at)
  }

  protected decimal(source: DataView, at: number): void {
    this.out.fixed(NUMBER_DECIMAL)
    writeDecimal(this.out, source, at)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  protected objectId(source: DataView, at: number): void {
    this.out.fixed(OID)
    this.quotedObjectId(source, at)
    this.out.byte(CLOSE_BRACE)
  }

  protected date(source: DataView, at: number): void {
    this.out.fixed(DATE)
    if (isRelaxedDate(source, at)) {
      this.out.byte(QUOTE)
      writeIsoDate(this.out, source, at, 'non-zero')
      this.out.byte(QUOTE)
    } else this.wrappedInt64(source, at)
    this.out.byte(CLOSE_BRACE)
  }

  protected binary(subtype: number, source: DataView, start: number, end: number): void {
    this.out.fixed(BINARY)
    this.out.base64(source, start, end)
    this.out.fixed(SUBTYPE)
    writeHexByte(this.out, subtype)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
  }

  protected regex(source: DataView, start: number, middle: number, end: number): void {
    this.out.fixed(REGEX)
    this.quoted(source, start, middle)
    this.out.fixed(OPTIONS)
    this.quoted(source, middle + 1, end)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
  }

  protected timestamp(seconds: number, increment: number): void {
    this.out.fixed(TIMESTAMP)
    writeTimestamp(this.out, seconds, increment)
    this.out.byte(CLOSE_BRACE)
  }

  protected symbol(source: DataView, start: number, end: number): void {
    this.out.fixed(SYMBOL)
    this.quoted(source, start, end)
    this.out.byte(CLOSE_BRACE)
  }

  protected code(source: DataView, start: number, end: number): void {
    this.out.fixed(CODE)
    this.quoted(source, start, end)
    this.out.byte(CLOSE_BRACE)
  }

  protected undefinedValue(): void {
    this.out.fixed(UNDEFINED)
  }

  protected dbPointer(source: DataView, start: number, end: number): void {
    this.out.fixed(DB_POINTER)
    this.quoted(source, start, end)
    this.out.fixed(ID)
    this.quotedObjectId(source, end + 1)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
  }

  /** Writes `{"$numberLong":"…"}`. */
  protected wrappedInt64(source: DataView, at: number): void {
    this.out.fixed(NUMBER_LONG)
    writeInt64(this.out, source, at)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  /** Writes `open`, which ends with a quote, then `text`, quote and brace. */
  protected wrappedText(open: FixedBytes, text: string): void {
    this.out.fixed(open)
    this.out.text(text)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }
}

/** Format `canonical-json`: MongoDB's canonical Extended JSON v2, in which every value keeps its type. */
export class CanonicalJson extends RelaxedJson {
  protected override double(source: DataView, at: number): void {
    const value = source.getFloat64(at, true)
    if (!Number.isFinite(value)) {
      super.double(source, at)
      return
    }
    this.out.fixed(NUMBER_DOUBLE)
    writeDouble(this.out, value)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  protected override int32(value: number): void {
    this.out.fixed(NUMBER_INT)
    writeInteger(this.out, value)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  protected override int64(source: DataView, at: number): void {
    this.wrappedInt64(source, at)
  }

  protected override date(source: DataView, at: number): void {
    this.out.fixed(DATE)
    this.wrappedInt64(source, at)
    this.out.byte(CLOSE_BRACE)
  }
}
