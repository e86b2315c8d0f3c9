import { writeInteger } from './digits.ts'
import { copyPlain, writeHex, writeText } from './text.ts'
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
import { viewOf } from './view.ts'
import { cStringEnd, documentEnd, fixedEnd, MAX_DEPTH, malformed, stringEnd, valueEnd } from './walk.ts'
import { ByteWriter, fixedText } from './writer.ts'

export const QUOTE = 0x22
export const COMMA = 0x2c
export const COLON = 0x3a
export const OPEN_BRACE = 0x7b
export const CLOSE_BRACE = 0x7d
const DOLLAR = 0x24
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

const NOTHING = Buffer.alloc(0)
const NOTHING_VIEW = new DataView(NOTHING.buffer, NOTHING.byteOffset, 0)

const TRUE = fixedText('true')
const FALSE = fixedText('false')
const NULL_TEXT = fixedText('null')
const MIN_KEY_TEXT = fixedText('{"$minKey":1}')
const MAX_KEY_TEXT = fixedText('{"$maxKey":1}')
const CODE_OPEN = fixedText('{"$code":')
const SCOPE = fixedText(',"$scope":')

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

  /** What is being read, from the beginning of a call to its end. */
  private bytes: Buffer = NOTHING
  private source: DataView = NOTHING_VIEW

  /** Writes the document at `bytes[start, limit)`, or a part of that. */
  document(bytes: Buffer, start: number, limit: number): void {
    this.read(bytes)
    this.container(start, limit, OPEN_BRACE, CLOSE_BRACE, 0)
    this.read(NOTHING)
  }

  /** Writes the value of `type` at `bytes[start, limit)`, or a part of that. Returns the offset behind it. */
  value(type: number, bytes: Buffer, start: number, limit: number): number {
    this.read(bytes)
    this.out.ensure(0)
    const end = this.element(type, start, limit, 0)
    this.read(NOTHING)
    return end
  }

  /** A hundred idle pipelines must not keep a hundred replies of MongoDB alive, so this ends with reading nothing. */
  private read(bytes: Buffer): void {
    this.bytes = bytes
    this.source = bytes === NOTHING ? NOTHING_VIEW : viewOf(bytes)
  }

  protected abstract double(source: DataView, at: number): void
  protected abstract int32(value: number): void
  protected abstract int64(source: DataView, at: number): void
  protected abstract decimal(source: DataView, at: number): void
  protected abstract objectId(source: DataView, at: number): void
  protected abstract date(source: DataView, at: number): void
  /** `source[start, end)` are the binary's own bytes. */
  protected abstract binary(subtype: number, source: DataView, start: number, end: number): void
  /** Pattern `source[start, middle)`, a zero byte, options up to `end`. */
  protected abstract regex(source: DataView, start: number, middle: number, end: number): void
  protected abstract timestamp(seconds: number, increment: number): void
  protected abstract symbol(source: DataView, start: number, end: number): void
  protected abstract code(source: DataView, start: number, end: number): void
  protected abstract undefinedValue(): void
  /** Namespace `source[start, end)`, then a zero byte and an ObjectId. */
  protected abstract dbPointer(source: DataView, start: number, end: number): void

  /** An old binary whose inner length does not fit, bytes `source[start, end)`: nobody can say what is data. */
  protected oddBinary(source: DataView, start: number, end: number): void {
    this.binary(SUBTYPE_OLD_BINARY, source, start, end)
  }

  /** Writes a field's name, quotes and colon not included. Overridden where names must stay apart from wrappers. */
  protected name(source: DataView, start: number, end: number): void {
    this.text(source, start, end)
  }

  /** Writes UTF-8 text as the inside of a JSON string. */
  protected text(source: DataView, start: number, end: number): void {
    this.out.ensure(end - start)
    const plainEnd = copyPlain(this.out, source, start, end)
    if (plainEnd < end) this.anyText(source, plainEnd, end)
  }

  /** Writes text that is not plain ASCII. */
  protected anyText(source: DataView, start: number, end: number): void {
    if (writeText(this.out, source, start, end) > 0) this.malformedStrings++
  }

  /** Writes UTF-8 text as a JSON string. */
  protected quoted(source: DataView, start: number, end: number): void {
    this.out.byte(QUOTE)
    this.text(source, start, end)
    this.out.byte(QUOTE)
  }

  /** Writes the 12 bytes of an ObjectId as a JSON string. */
  protected quotedObjectId(source: DataView, at: number): void {
    this.out.byte(QUOTE)
    writeHex(this.out, source, at, at + 12)
    this.out.byte(QUOTE)
  }

  /** Writes `{"$code":…,"$scope":{…}}`, which is also what the plain format says: scope has no other spelling. */
  private codeWithScope(source: DataView, start: number, end: number, depth: number): void {
    const codeEnd = start + 8 + source.getInt32(start + 4, true)
    this.out.fixed(CODE_OPEN)
    this.quoted(source, start + 8, codeEnd - 1)
    this.out.fixed(SCOPE)
    this.container(codeEnd, end, OPEN_BRACE, CLOSE_BRACE, depth + 1)
    this.out.byte(CLOSE_BRACE)
  }

  /** The old binary subtype repeats its length inside: four bytes that are no data. */
  private oldBinary(source: DataView, start: number, end: number): void {
    const fits = end - start >= 4 && source.getInt32(start, true) === end - start - 4
    if (fits) this.binary(SUBTYPE_OLD_BINARY, source, start + 4, end)
    else this.oddBinary(source, start, end)
  }

  /** Writes the document (or array) at `start` and returns the offset behind it. */
  private container(start: number, limit: number, open: number, close: number, depth: number): number {
    if (depth > MAX_DEPTH) throw malformed(`more than ${MAX_DEPTH} documents inside each other`, start)
    const { out, bytes } = this
    const last = documentEnd(bytes, start, limit) - 1
    let at = start + 4
    out.ensure(1)
    out.byte(open)
    while (at < last) {
      out.ensure(last - at) // For the name, whose end is not known yet.
      if (at > start + 4) out.byte(COMMA)
      const nameEnd = open === OPEN_BRACE ? this.label(at + 1, last) : cStringEnd(bytes, at + 1, last)
      at = this.element(bytes[at]!, nameEnd + 1, last, depth)
    }
    out.ensure(1) // Hundreds of documents may end here.
    out.byte(close)
    return last + 1
  }

  /**
   * Writes a field's name, quotes and colon. Returns the offset of the zero byte behind it. Looking for that byte and
   * copying is one step where the name is plain.
   */
  private label(start: number, last: number): number {
    const { out, bytes, source } = this
    out.byte(QUOTE)
    const begin = out.length
    let end = copyPlain(out, source, start, last)
    if (end === last || bytes[end] !== 0 || bytes[start] === DOLLAR) {
      out.length = begin
      end = cStringEnd(bytes, start, last)
      this.name(source, start, end)
    }
    out.byte(QUOTE)
    out.byte(COLON)
    return end
  }

  /** Writes the value of `type` at `at` and returns the offset behind it. */
  private element(type: number, at: number, limit: number, depth: number): number {
    const { out, bytes, source } = this
    switch (type) {
      case STRING: {
        const end = stringEnd(bytes, at, limit)
        this.quoted(source, at + 4, end - 1)
        return end
      }
      case INT32:
        fixedEnd(at, 4, limit)
        this.int32(source.getInt32(at, true))
        return at + 4
      case DOCUMENT:
        return this.container(at, limit, OPEN_BRACE, CLOSE_BRACE, depth + 1)
      case ARRAY:
        return this.container(at, limit, OPEN_BRACKET, CLOSE_BRACKET, depth + 1)
      case DOUBLE:
        fixedEnd(at, 8, limit)
        this.double(source, at)
        return at + 8
      case OBJECT_ID:
        fixedEnd(at, 12, limit)
        this.objectId(source, at)
        return at + 12
      case DATE:
        fixedEnd(at, 8, limit)
        this.date(source, at)
        return at + 8
      case BOOLEAN:
        fixedEnd(at, 1, limit)
        out.fixed(bytes[at] === 0 ? FALSE : TRUE)
        return at + 1
      case NULL:
        out.fixed(NULL_TEXT)
        return at
      case INT64:
        fixedEnd(at, 8, limit)
        this.int64(source, at)
        return at + 8
      default:
        return this.rareElement(type, at, limit, depth)
    }
  }

  private rareElement(type: number, at: number, limit: number, depth: number): number {
    const { bytes, source } = this
    const end = valueEnd(type, bytes, at, limit)
    switch (type) {
      case DECIMAL128:
        this.decimal(source, at)
        break
      case BINARY:
        if (bytes[at + 4] === SUBTYPE_OLD_BINARY) this.oldBinary(source, at + 5, end)
        else this.binary(bytes[at + 4]!, source, at + 5, end)
        break
      case TIMESTAMP:
        this.timestamp(source.getUint32(at + 4, true), source.getUint32(at, true))
        break
      case REGEX:
        this.regex(source, at, cStringEnd(bytes, at, end), end - 1)
        break
      case SYMBOL:
        this.symbol(source, at + 4, end - 1)
        break
      case CODE:
        this.code(source, at + 4, end - 1)
        break
      case CODE_WITH_SCOPE:
        this.codeWithScope(source, at, end, depth)
        break
      case UNDEFINED:
        this.undefinedValue()
        break
      case DB_POINTER:
        this.dbPointer(source, at + 4, end - 13)
        break
      case MIN_KEY:
        this.out.fixed(MIN_KEY_TEXT)
        break
      case MAX_KEY:
        this.out.fixed(MAX_KEY_TEXT)
        break
      default:
        throw malformed(`unknown type ${type}`, at)
    }
    return end
  }
}

const T = fixedText('{"t":')
const I = fixedText(',"i":')

/** Writes a timestamp's parts: `{"t":1,"i":2}`. */
export function writeTimestamp(out: ByteWriter, seconds: number, increment: number): void {
  out.fixed(T)
  writeInteger(out, seconds)
  out.fixed(I)
  writeInteger(out, increment)
  out.byte(CLOSE_BRACE)
}
