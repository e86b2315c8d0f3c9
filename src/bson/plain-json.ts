import { writeDecimal } from './decimal128.ts'
import { nonFiniteName, writeBareDouble, writeInt64, writeInteger } from './digits.ts'
import { writeIsoDate } from './iso-date.ts'
import { CLOSE_BRACE, JsonTranscoder, QUOTE, writeTimestamp } from './json.ts'
import { writeHex } from './text.ts'
import { SUBTYPE_UUID } from './types.ts'
import { fixedText } from './writer.ts'

const NULL_TEXT = fixedText('null')
const REF_OPEN = fixedText('{"$ref":')
const ID = fixedText(',"$id":')
const SLASH = 0x2f
const DASH = 0x2d

/**
 * Format `json`: what a reader without MongoDB's types expects. Numbers are bare digits, exact (`-0.0` keeps its sign);
 * NaN, infinities and Decimal128 strings; ObjectId hex; dates ISO 8601 with milliseconds; UUIDs (subtype 4, 16 bytes)
 * their text, other binary base64; timestamps `{"t":1,"i":2}`; regexes `/pattern/options`; symbols and code strings;
 * undefined null. Without a natural spelling, as in Extended JSON: min and max key, code with scope
 * `{"$code":"…","$scope":{…}}`, and DBPointer `{"$ref":"ns","$id":"hex"}`.
 */
export class PlainJson extends JsonTranscoder {
  protected double(source: DataView, at: number): void {
    const value = source.getFloat64(at, true)
    if (Number.isFinite(value)) writeBareDouble(this.out, value)
    else this.quotedAscii(nonFiniteName(value))
  }

  protected int32(value: number): void {
    writeInteger(this.out, value)
  }

  protected int64(source: DataView, at: number): void {
    writeInt64(this.out, source, at)
  }

  protected decimal(source: DataView, at: number): void {
    this.out.byte(QUOTE)
    writeDecimal(this.out, source, at)
    this.out.byte(QUOTE)
  }

  protected objectId(source: DataView, at: number): void {
    this.quotedObjectId(source, at)
  }

  protected date(source: DataView, at: number): void {
    this.out.byte(QUOTE)
    writeIsoDate(this.out, source, at, 'always')
    this.out.byte(QUOTE)
  }

  protected binary(subtype: number, source: DataView, start: number, end: number): void {
    this.out.byte(QUOTE)
    if (subtype === SUBTYPE_UUID && end - start === 16) writeUuid(this, source, start)
    else this.out.base64(source, start, end)
    this.out.byte(QUOTE)
  }

  protected regex(source: DataView, start: number, middle: number, end: number): void {
    this.out.byte(QUOTE)
    this.out.byte(SLASH)
    this.text(source, start, middle)
    this.out.byte(SLASH)
    this.text(source, middle + 1, end)
    this.out.byte(QUOTE)
  }

  protected timestamp(seconds: number, increment: number): void {
    writeTimestamp(this.out, seconds, increment)
  }

  protected symbol(source: DataView, start: number, end: number): void {
    this.quoted(source, start, end)
  }

  protected code(source: DataView, start: number, end: number): void {
    this.quoted(source, start, end)
  }

  protected undefinedValue(): void {
    this.out.fixed(NULL_TEXT)
  }

  protected dbPointer(source: DataView, start: number, end: number): void {
    this.out.fixed(REF_OPEN)
    this.quoted(source, start, end)
    this.out.fixed(ID)
    this.quotedObjectId(source, end + 1)
    this.out.byte(CLOSE_BRACE)
  }

  private quotedAscii(text: string): void {
    this.out.byte(QUOTE)
    this.out.text(text)
    this.out.byte(QUOTE)
  }
}

/** Writes 16 bytes as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
export function writeUuid({ out }: Pick<JsonTranscoder, 'out'>, source: DataView, start: number): void {
  writeHex(out, source, start, start + 4)
  for (let at = start + 4; at < start + 10; at += 2) {
    out.byte(DASH)
    writeHex(out, source, at, at + 2)
  }
  out.byte(DASH)
  writeHex(out, source, start + 10, start + 16)
}
