import { writeInteger } from './digits.ts'
import { writeHex, writeText } from './text.ts'
import {
  ARRAY,
  BINARY,
  BOOLEAN,
  CODE,
  CODE_WITH_SCOPE,
  DATE,
  DB_POINTER,
  DECIMAL128,
  DOCUMENT,
  DOUBLE,
  INT32,
  INT64,
  MAX_KEY,
  MIN_KEY,
  NULL,
  OBJECT_ID,
  REGEX,
  STRING,
  SUBTYPE_OLD_BINARY,
  SYMBOL,
  TIMESTAMP,
  UNDEFINED,
} from './types.ts'
import { cStringEnd, documentEnd, int32At, MAX_DEPTH, malformed, valueEnd } from './walk.ts'
import { ascii, ByteWriter } from './writer.ts'

export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

const TRUE = ascii('true')
const FALSE = ascii('false')
const NULL_TEXT = ascii('null')
const MIN_KEY_TEXT = ascii('{"$minKey":1}')
const MAX_KEY_TEXT = ascii('{"$maxKey":1}')
const CODE_OPEN = ascii('{"$code":')
const SCOPE = ascii(',"$scope":')

/**
 * Writes BSON as JSON, bytes to bytes: no object is made of a document and hardly a string of a value. This class
 * walks the structure and writes what every format writes alike; a format is a subclass that writes the scalars.
 * Field names and values keep their order, duplicates included. Everything throws a RangeError for malformed BSON
 * and for more than MAX_DEPTH documents inside each other.
 *
 * A subclass' scalars are called with values that lie inside the buffer, and with room for 200 bytes.
 */
export abstract class JsonTranscoder {
  out: ByteWriter = new ByteWriter()
  /** Strings and names with malformed UTF-8, written with U+FFFD, since the counter was last set to 0. */
  malformedStrings = 0

  /** Writes the document at `bytes[start, limit)`, or a part of that. */
  document(bytes: Buffer, start: number, limit: number): void {
    this.container(bytes, start, limit, OPEN_BRACE, CLOSE_BRACE, 0)
  }

  /** Writes the value of `type` at `bytes[start, limit)`, or a part of that. */
  value(type: number, bytes: Buffer, start: number, limit: number): void {
    this.out.ensure(0)
    this.element(type, bytes, start, valueEnd(type, bytes, start, limit), 0)
  }

  protected abstract double(source: Buffer, at: number): void
  protected abstract int32(value: number): void
  protected abstract int64(source: Buffer, at: number): void
  protected abstract decimal(source: Buffer, at: number): void
  protected abstract objectId(source: Buffer, at: number): void
  protected abstract date(source: Buffer, at: number): void
  /** `source[start, end)` are the binary's own bytes. */
  protected abstract binary(subtype: number, source: Buffer, start: number, end: number): void
  /** Pattern `source[start, middle)`, a zero byte, options up to `end`. */
  protected abstract regex(source: Buffer, start: number, middle: number, end: number): void
  protected abstract timestamp(seconds: number, increment: number): void
  protected abstract symbol(source: Buffer, start: number, end: number): void
  protected abstract code(source: Buffer, start: number, end: number): void
  protected abstract undefinedValue(): void
  /** Namespace `source[start, end)`, then a zero byte and an ObjectId. */
  protected abstract dbPointer(source: Buffer, start: number, end: number): void

  /** An old binary whose inner length does not fit, bytes `source[start, end)`: nobody can say what is data. */
  protected oddBinary(source: Buffer, start: number, end: number): void {
    this.binary(SUBTYPE_OLD_BINARY, source, start, end)
  }

  /** Writes a field's name, quotes and colon not included. Overridden where names must stay apart from wrappers. */
  protected name(source: Buffer, start: number, end: number): void {
    this.text(source, start, end)
  }

  /** Writes UTF-8 text as the inside of a JSON string. */
  protected text(source: Buffer, start: number, end: number): void {
    if (writeText(this.out, source, start, end) > 0) this.malformedStrings++
  }

  /** Writes UTF-8 text as a JSON string. */
  protected quoted(source: Buffer, start: number, end: number): void {
    this.out.byte(QUOTE)
    this.text(source, start, end)
    this.out.byte(QUOTE)
  }

  /** Writes the 12 bytes of an ObjectId as a JSON string. */
  protected quotedObjectId(source: Buffer, at: number): void {
    this.out.byte(QUOTE)
    writeHex(this.out, source, at, at + 12)
    this.out.byte(QUOTE)
  }

  /** Writes `{"$code":…,"$scope":{…}}`, which is also what the plain format says: scope has no other spelling. */
  private codeWithScope(source: Buffer, start: number, end: number, depth: number): void {
    const codeEnd = start + 8 + int32At(source, start + 4)
    this.out.constant(CODE_OPEN)
    this.quoted(source, start + 8, codeEnd - 1)
    this.out.constant(SCOPE)
    this.container(source, codeEnd, end, OPEN_BRACE, CLOSE_BRACE, depth + 1)
    this.out.byte(CLOSE_BRACE)
  }

  /** The old binary subtype repeats its length inside: four bytes that are no data. */
  private oldBinary(source: Buffer, start: number, end: number): void {
    const fits = end - start >= 4 && int32At(source, start) === end - start - 4
    if (fits) this.binary(SUBTYPE_OLD_BINARY, source, start + 4, end)
    else this.oddBinary(source, start, end)
  }

  private container(bytes: Buffer, start: number, limit: number, open: number, close: number, depth: number): void {
    if (depth > MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} documents inside each other`, start)
    const { out } = this
    const last = documentEnd(bytes, start, limit) - 1
    let at = start + 4
    out.ensure(1)
    out.byte(open)
    while (at < last) {
      out.ensure(0)
      const type = bytes[at]!
      const nameEnd = cStringEnd(bytes, at + 1, last)
      const end = valueEnd(type, bytes, nameEnd + 1, last)
      if (at > start + 4) out.byte(COMMA)
      if (open === OPEN_BRACE) {
        out.byte(QUOTE)
        this.name(bytes, at + 1, nameEnd)
        out.byte(QUOTE)
        out.byte(COLON)
      }
      this.element(type, bytes, nameEnd + 1, end, depth)
      at = end
    }
    out.ensure(1) // Hundreds of documents may end here.
    out.byte(close)
  }

  private element(type: number, bytes: Buffer, at: number, end: number, depth: number): void {
    switch (type) {
      case STRING:
        this.quoted(bytes, at + 4, end - 1)
        break
      case INT32:
        this.int32(int32At(bytes, at))
        break
      case DOCUMENT:
        this.container(bytes, at, end, OPEN_BRACE, CLOSE_BRACE, depth + 1)
        break
      case ARRAY:
        this.container(bytes, at, end, OPEN_BRACKET, CLOSE_BRACKET, depth + 1)
        break
      case DOUBLE:
        this.double(bytes, at)
        break
      case OBJECT_ID:
        this.objectId(bytes, at)
        break
      case DATE:
        this.date(bytes, at)
        break
      case BOOLEAN:
        this.out.constant(bytes[at] === 0 ? FALSE : TRUE)
        break
      case NULL:
        this.out.constant(NULL_TEXT)
        break
      case INT64:
        this.int64(bytes, at)
        break
      default:
        this.rareElement(type, bytes, at, end, depth)
        break
    }
  }

  private rareElement(type: number, bytes: Buffer, at: number, end: number, depth: number): void {
    switch (type) {
      case DECIMAL128:
        this.decimal(bytes, at)
        break
      case BINARY:
        if (bytes[at + 4] === SUBTYPE_OLD_BINARY) this.oldBinary(bytes, at + 5, end)
        else this.binary(bytes[at + 4]!, bytes, at + 5, end)
        break
      case TIMESTAMP:
        this.timestamp(int32At(bytes, at + 4) >>> 0, int32At(bytes, at) >>> 0)
        break
      case REGEX:
        this.regex(bytes, at, cStringEnd(bytes, at, end), end - 1)
        break
      case SYMBOL:
        this.symbol(bytes, at + 4, end - 1)
        break
      case CODE:
        this.code(bytes, at + 4, end - 1)
        break
      case CODE_WITH_SCOPE:
        this.codeWithScope(bytes, at, end, depth)
        break
      case UNDEFINED:
        this.undefinedValue()
        break
      case DB_POINTER:
        this.dbPointer(bytes, at + 4, end - 13)
        break
      case MIN_KEY:
        this.out.constant(MIN_KEY_TEXT)
        break
      case MAX_KEY:
        this.out.constant(MAX_KEY_TEXT)
        break
      default:
        throw malformed(`unknown type ${type}`, at)
    }
  }
}

const T = ascii('{"t":')
const I = ascii(',"i":')

/** Writes a timestamp's parts: `{"t":1,"i":2}`. */
export function writeTimestamp(out: ByteWriter, seconds: number, increment: number): void {
  out.constant(T)
  writeInteger(out, seconds)
  out.constant(I)
  writeInteger(out, increment)
  out.byte(CLOSE_BRACE)
}
