import { decimalText } from './decimal128.ts'
import { nonFiniteName, writeDouble, writeInt64, writeInteger } from './digits.ts'
import { isRelaxedDate, writeIsoDate } from './iso-date.ts'
import { CLOSE_BRACE, JsonTranscoder, QUOTE, writeTimestamp } from './json.ts'
import { writeHexByte } from './text.ts'
import { ascii } from './writer.ts'

const NUMBER_INT = ascii('{"$numberInt":"')
const NUMBER_LONG = ascii('{"$numberLong":"')
const NUMBER_DOUBLE = ascii('{"$numberDouble":"')
const NUMBER_DECIMAL = ascii('{"$numberDecimal":"')
const OID = ascii('{"$oid":')
const DATE = ascii('{"$date":')
const BINARY = ascii('{"$binary":{"base64":"')
const SUBTYPE = ascii('","subType":"')
const REGEX = ascii('{"$regularExpression":{"pattern":')
const OPTIONS = ascii(',"options":')
const TIMESTAMP = ascii('{"$timestamp":')
const SYMBOL = ascii('{"$symbol":')
const CODE = ascii('{"$code":')
const UNDEFINED = ascii('{"$undefined":true}')
const DB_POINTER = ascii('{"$dbPointer":{"$ref":')
const ID = ascii(',"$id":{"$oid":')

/**
 * Format `extended-json`: MongoDB's relaxed Extended JSON v2. Numbers are bare and exact, int64s above 2^53 too (a
 * reader that keeps numbers as doubles needs `canonical-json`); doubles show a point or an exponent.
 */
export class RelaxedJson extends JsonTranscoder {
  protected double(source: Buffer, at: number): void {
    const value = source.readDoubleLE(at)
    if (Number.isFinite(value)) writeDouble(this.out, value)
    else this.wrappedText(NUMBER_DOUBLE, nonFiniteName(value))
  }

  protected int32(value: number): void {
    writeInteger(this.out, value)
  }

  protected int64(source: Buffer, at: number): void {
    writeInt64(this.out, source, at)
  }

  protected decimal(source: Buffer, at: number): void {
    this.wrappedText(NUMBER_DECIMAL, decimalText(source, at))
  }

  protected objectId(source: Buffer, at: number): void {
    this.out.constant(OID)
    this.quotedObjectId(source, at)
    this.out.byte(CLOSE_BRACE)
  }

  protected date(source: Buffer, at: number): void {
    this.out.constant(DATE)
    if (isRelaxedDate(source, at)) {
      this.out.byte(QUOTE)
      writeIsoDate(this.out, source, at, 'non-zero')
      this.out.byte(QUOTE)
    } else this.wrappedInt64(source, at)
    this.out.byte(CLOSE_BRACE)
  }

  protected binary(subtype: number, source: Buffer, start: number, end: number): void {
    this.out.constant(BINARY)
    this.out.base64(source, start, end)
    this.out.constant(SUBTYPE)
    writeHexByte(this.out, subtype)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
  }

  protected regex(source: Buffer, start: number, middle: number, end: number): void {
    this.out.constant(REGEX)
    this.quoted(source, start, middle)
    this.out.constant(OPTIONS)
    this.quoted(source, middle + 1, end)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
  }

  protected timestamp(seconds: number, increment: number): void {
    this.out.constant(TIMESTAMP)
    writeTimestamp(this.out, seconds, increment)
    this.out.byte(CLOSE_BRACE)
  }

  protected symbol(source: Buffer, start: number, end: number): void {
    this.out.constant(SYMBOL)
    this.quoted(source, start, end)
    this.out.byte(CLOSE_BRACE)
  }

  protected code(source: Buffer, start: number, end: number): void {
    this.out.constant(CODE)
    this.quoted(source, start, end)
    this.out.byte(CLOSE_BRACE)
  }

  protected undefinedValue(): void {
    this.out.constant(UNDEFINED)
  }

  protected dbPointer(source: Buffer, start: number, end: number): void {
    this.out.constant(DB_POINTER)
    this.quoted(source, start, end)
    this.out.constant(ID)
    this.quotedObjectId(source, end + 1)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
    this.out.byte(CLOSE_BRACE)
  }

  /** Writes `{"$numberLong":"…"}`. */
  protected wrappedInt64(source: Buffer, at: number): void {
    this.out.constant(NUMBER_LONG)
    writeInt64(this.out, source, at)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  /** Writes `open`, which ends with a quote, then `text`, quote and brace. */
  protected wrappedText(open: Uint8Array, text: string): void {
    this.out.constant(open)
    this.out.text(text)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }
}

/** Format `canonical-json`: MongoDB's canonical Extended JSON v2, in which every value keeps its type. */
export class CanonicalJson extends RelaxedJson {
  protected override double(source: Buffer, at: number): void {
    const value = source.readDoubleLE(at)
    if (!Number.isFinite(value)) {
      super.double(source, at)
      return
    }
    this.out.constant(NUMBER_DOUBLE)
    writeDouble(this.out, value)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  protected override int32(value: number): void {
    this.out.constant(NUMBER_INT)
    writeInteger(this.out, value)
    this.out.byte(QUOTE)
    this.out.byte(CLOSE_BRACE)
  }

  protected override int64(source: Buffer, at: number): void {
    this.wrappedInt64(source, at)
  }

  protected override date(source: Buffer, at: number): void {
    this.out.constant(DATE)
    this.wrappedInt64(source, at)
    this.out.byte(CLOSE_BRACE)
  }
}
