import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  deserialize,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
} from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PlainJson } from '../../src/bson/plain-json.ts'
import { bsonOf, documents, element, rawDocument, rawString, transcode } from './documents.ts'

/** The contract's table for plain json, over what the bson package decodes. */
function plain(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Int32) return String(value.value)
  if (value instanceof Timestamp) return JSON.stringify({ t: value.t, i: value.i }) // Before Long, its base.
  if (value instanceof Long) return value.toString()
  if (value instanceof Double) return double(value.value)
  if (value instanceof Decimal128 || value instanceof ObjectId) return JSON.stringify(value.toString())
  if (value instanceof Date) return JSON.stringify(value.toISOString())
  if (value instanceof Binary) return JSON.stringify(binary(value))
  if (value instanceof BSONRegExp) return JSON.stringify(`/${value.pattern}/${value.options}`)
  if (value instanceof BSONSymbol) return JSON.stringify(value.value)
  if (value instanceof Code) {
    return value.scope
      ? `{"$code":${JSON.stringify(value.code)},"$scope":${plain(value.scope)}}`
      : JSON.stringify(value.code)
  }
  if (value instanceof MinKey) return '{"$minKey":1}'
  if (value instanceof MaxKey) return '{"$maxKey":1}'
  if (Array.isArray(value)) return `[${value.map(plain).join(',')}]`
  return `{${Object.entries(value)
    .map(([name, field]) => `${JSON.stringify(name)}:${plain(field)}`)
    .join(',')}}`
}

function double(value: number): string {
  if (!Number.isFinite(value)) return JSON.stringify(String(value))
  if (Object.is(value, -0)) return '-0.0'
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? value.toFixed(0) : String(value)
}

function binary(value: Binary): string {
  if (value.sub_type !== 4 || value.length() !== 16) return Buffer.from(value.value()).toString('base64')
  return Buffer.from(value.value())
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const json = new PlainJson()

test('writes any document as the table of the contract says', () => {
  fc.assert(
    fc.property(documents, document => {
      const bson = bsonOf(document)
      const decoded = deserialize(bson, { promoteValues: false, promoteLongs: false, bsonRegExp: true })
      const got = transcode(json, bson)
      expect(got).toBe(plain(decoded))
      expect(() => JSON.parse(got)).not.toThrow()
    }),
    { numRuns: 1000 },
  )
})

test('writes what the bson package cannot: undefined, DBPointer, old binary with a false inner length', () => {
  const id = Buffer.from('0123456789abcdef01234567', 'hex')
  const bson = rawDocument(
    element(0x06, 'u', Buffer.alloc(0)),
    element(0x0c, 'p', Buffer.concat([rawString(Buffer.from('shop.orders')), id])),
    element(0x05, 'b', Buffer.from([3, 0, 0, 0, 2, 1, 2, 3])),
  )
  expect(transcode(json, bson)).toBe(
    '{"u":null,"p":{"$ref":"shop.orders","$id":"0123456789abcdef01234567"},"b":"AQID"}',
  )
})

test('keeps order, duplicates and number-like names', () => {
  const one = (name: string, value: number) => element(0x10, name, Buffer.of(value, 0, 0, 0))
  const bson = rawDocument(one('b', 1), one('2', 2), one('1', 3), one('b', 4), one('', 5), one('__proto__', 6))
  expect(transcode(json, bson)).toBe('{"b":1,"2":2,"1":3,"b":4,"":5,"__proto__":6}')
})

test('counts strings and names with malformed UTF-8, each once', () => {
  const broken = Buffer.from([0x61, 0xff, 0xfe, 0x62])
  const name = Buffer.concat([Buffer.of(2, 0xc3, 0), rawString(Buffer.from('fine'))])
  const bson = rawDocument(element(0x02, 's', rawString(broken)), name, element(0x0e, 'y', rawString(Buffer.of(0x80))))
  json.malformedStrings = 0
  expect(transcode(json, bson)).toBe('{"s":"a\ufffd\ufffdb","\ufffd":"fine","y":"\ufffd"}')
  expect(json.malformedStrings).toBe(3)
})
