import { readExactNumber } from './exact-number.ts'
import { writeIsoDate } from './iso-date.ts'
import { writeUuid } from './plain-json.ts'
import { writeHex } from './text.ts'
import {
  BINARY,
  BOOLEAN,
  DATE,
  DECIMAL128,
  DOUBLE,
  INT32,
  INT64,
  OBJECT_ID,
  STRING,
  SUBTYPE_UUID,
  SYMBOL,
} from './types.ts'
import { viewOf } from './view.ts'
import { valueEnd } from './walk.ts'
import type { ByteWriter } from './writer.ts'

/** What a bare key was made of. Texts of one class are different for different values; those of two may be the same. */
export type BareKeyClass = 'string' | 'number' | 'Decimal128' | 'ObjectId' | 'date' | 'UUID' | 'binary' | 'boolean'

/**
 * Writes a value as bare text (key format `string`) and returns its class: strings and symbols their own bytes,
 * damaged ones too; numbers by exact value, as in extended-json keys but without wrappers (so the double 0.1 and the
 * Decimal128 0.1, which differ, look alike: int32, int64 and double are one class, Decimal128 is another); ObjectIds hex; dates
 * ISO 8601; UUIDs their text; other binary its subtype and base64 (`00:AQID`); booleans `true` and `false`. Other types
 * have no bare text: undefined is returned and nothing written. Throws a RangeError for malformed BSON.
 */
export function writeBareKey(
  out: ByteWriter,
  type: number,
  bytes: Buffer,
  start: number,
  limit: number,
): BareKeyClass | undefined {
  const end = valueEnd(type, bytes, start, limit)
  const source = viewOf(bytes)
  out.ensure(0)
  switch (type) {
    case STRING:
    case SYMBOL:
      out.copy(bytes, start + 4, end - 1)
      return 'string'
    case INT32:
    case INT64:
    case DOUBLE:
    case DECIMAL128:
      out.text(readExactNumber(type, source, start).text)
      return type === DECIMAL128 ? 'Decimal128' : 'number'
    case OBJECT_ID:
      writeHex(out, source, start, end)
      return 'ObjectId'
    case DATE:
      writeIsoDate(out, source, start, 'always')
      return 'date'
    case BOOLEAN:
      out.text(bytes[start] === 0 ? 'false' : 'true')
      return 'boolean'
    case BINARY:
      return writeBinary(out, source, start, end)
    default:
      return undefined
  }
}

function writeBinary(out: ByteWriter, source: DataView, start: number, end: number): BareKeyClass {
  if (source.getUint8(start + 4) === SUBTYPE_UUID && source.getInt32(start, true) === 16) {
    writeUuid({ out }, source, start + 5)
    return 'UUID'
  }
  writeHex(out, source, start + 4, start + 5)
  out.text(':')
  out.base64(source, start + 5, end)
  return 'binary'
}
