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
  SYMBOL,
  TIMESTAMP,
  UNDEFINED,
} from './types.ts'

/**
 * Documents inside documents that are read before BSON counts as hostile. MongoDB stores 180 to 200 levels at most,
 * and a change event adds one; the limit keeps recursion far from the end of the stack.
 */
export const MAX_DEPTH = 256

/** A value found in a document: `type` is BSON's type byte, `bytes[start, end)` the value without its name. */
export interface FoundValue {
  readonly type: number
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** Malformed BSON. `at` is the offset in the buffer; the message never quotes contents (G9). */
export function malformed(what: string, at: number): RangeError {
  return new RangeError(`malformed BSON at byte ${at}: ${what}`)
}

/** The little-endian int32 at `at`, which the caller knows to be inside `bytes`. */
export function int32At(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** Offset behind the document (or array) that starts at `start`. Throws a RangeError where it does not fit in `limit`. */
export function documentEnd(bytes: Buffer, start: number, limit: number): number {
  if (start + 5 > limit || limit > bytes.length) throw malformed('document without room for its length', start)
  const length = int32At(bytes, start)
  if (length < 5 || length > limit - start) throw malformed(`document of length ${length}`, start)
  const end = start + length
  if (bytes[end - 1] !== 0) throw malformed('document without terminator', end - 1)
  return end
}

/** Offset of the zero byte that ends the C string at `start`. Throws a RangeError where there is none before `limit`. */
export function cStringEnd(bytes: Buffer, start: number, limit: number): number {
  let at = start
  while (at < limit && bytes[at] !== 0) at++
  if (at >= limit) throw malformed('text without terminator', start)
  return at
}

/**
 * Offset behind the value of `type` that starts at `start`. Nested documents are measured by their length, not entered.
 * Throws a RangeError for an unknown type, a bad length, or a value that does not end at or before `limit`.
 */
export function valueEnd(type: number, bytes: Buffer, start: number, limit: number): number {
  switch (type) {
    case STRING:
    case SYMBOL:
    case CODE:
      return stringEnd(bytes, start, limit)
    case INT32:
      return fixedEnd(start, 4, limit)
    case DOUBLE:
    case DATE:
    case INT64:
    case TIMESTAMP:
      return fixedEnd(start, 8, limit)
    case OBJECT_ID:
      return fixedEnd(start, 12, limit)
    case BOOLEAN:
      return fixedEnd(start, 1, limit)
    case DOCUMENT:
    case ARRAY:
      return documentEnd(bytes, start, limit)
    case NULL:
    case UNDEFINED:
    case MIN_KEY:
    case MAX_KEY:
      return start
    case DECIMAL128:
      return fixedEnd(start, 16, limit)
    case BINARY:
      return fixedEnd(start, 5 + lengthAt(bytes, start, 0, limit), limit)
    case REGEX:
      return cStringEnd(bytes, cStringEnd(bytes, start, limit) + 1, limit) + 1
    case DB_POINTER:
      return fixedEnd(stringEnd(bytes, start, limit), 12, limit)
    case CODE_WITH_SCOPE:
      return codeWithScopeEnd(bytes, start, limit)
    default:
      throw malformed(`unknown type 0x${type.toString(16).padStart(2, '0')}`, start)
  }
}

/** Offset behind a value of `size` bytes. Throws a RangeError where it does not fit in `limit`. */
export function fixedEnd(start: number, size: number, limit: number): number {
  if (start + size > limit) throw malformed('value beyond the end of its document', start)
  return start + size
}

/** The int32 length at `start`, at least `least`. */
function lengthAt(bytes: Buffer, start: number, least: number, limit: number): number {
  fixedEnd(start, 4, limit)
  const length = int32At(bytes, start)
  if (length < least) throw malformed(`length ${length}`, start)
  return length
}

/** Offset behind the string at `start`, its zero byte included. Throws a RangeError where it is malformed. */
export function stringEnd(bytes: Buffer, start: number, limit: number): number {
  const end = fixedEnd(start, 4 + lengthAt(bytes, start, 1, limit), limit)
  if (bytes[end - 1] !== 0) throw malformed('string without terminator', end - 1)
  return end
}

/** int32 length of the whole, string, document: the parts must fill the whole. */
function codeWithScopeEnd(bytes: Buffer, start: number, limit: number): number {
  const end = fixedEnd(start, lengthAt(bytes, start, 14, limit), limit)
  if (documentEnd(bytes, stringEnd(bytes, start + 4, end), end) !== end) {
    throw malformed('code with scope whose parts do not fill it', start)
  }
  return end
}

/**
 * Goes over the elements of one document without allocating. After `next()` returned true the fields tell where the
 * element's parts are; every element is checked to lie inside the document.
 */
export class Elements {
  bytes: Buffer
  type = 0
  nameStart = 0
  /** Offset of the zero byte behind the name. */
  nameEnd = 0
  valueStart = 0
  valueEnd = 0
  /** Offset of the document's terminator. */
  #last: number

  /** The document or array at `bytes[start, limit)`, or a part of that. Throws a RangeError where its frame is malformed. */
  constructor(bytes: Buffer, start: number, limit: number) {
    this.bytes = bytes
    this.#last = documentEnd(bytes, start, limit) - 1
    this.valueEnd = start + 4
  }

  /** Begins with another document, as a new one would: for who reads one after the other. */
  reset(bytes: Buffer, start: number, limit: number): void {
    this.#last = documentEnd(bytes, start, limit) - 1
    this.bytes = bytes
    this.valueEnd = start + 4
  }

  /** Moves to the next element; false behind the last. Throws a RangeError where the element is malformed. */
  next(): boolean {
    const at = this.valueEnd
    if (at === this.#last) return false
    this.type = this.bytes[at]!
    this.nameStart = at + 1
    this.nameEnd = cStringEnd(this.bytes, at + 1, this.#last)
    this.valueStart = this.nameEnd + 1
    this.valueEnd = valueEnd(this.type, this.bytes, this.valueStart, this.#last)
    return true
  }

  /** Whether the element's name is `name`, given as UTF-8. */
  isNamed(name: Buffer): boolean {
    return isText(this.bytes, this.nameStart, this.nameEnd, name)
  }

  /** The element's name as text; malformed UTF-8 becomes U+FFFD. */
  name(): string {
    return this.bytes.toString('utf8', this.nameStart, this.nameEnd)
  }

  /** The element's value as a span of its own. */
  value(): FoundValue {
    return { type: this.type, bytes: this.bytes, start: this.valueStart, end: this.valueEnd }
  }
}

/** The first top-level field `name` (text, or its UTF-8) of a document. Throws a RangeError for malformed BSON before it. */
export function findField(bytes: Buffer, start: number, limit: number, name: string | Buffer): FoundValue | undefined {
  const wanted = typeof name === 'string' ? Buffer.from(name) : name
  const last = documentEnd(bytes, start, limit) - 1
  for (let at = start + 4; at !== last; ) {
    const type = bytes[at]!
    const nameEnd = cStringEnd(bytes, at + 1, last)
    const end = valueEnd(type, bytes, nameEnd + 1, last)
    if (isText(bytes, at + 1, nameEnd, wanted)) return { type, bytes, start: nameEnd + 1, end }
    at = end
  }
  return undefined
}

/** Whether `bytes[start, end)` is `wanted`. */
function isText(bytes: Buffer, start: number, end: number, wanted: Buffer): boolean {
  if (end - start !== wanted.length) return false
  for (let i = 0; i < wanted.length; i++) if (bytes[start + i] !== wanted[i]) return false
  return true
}
