import { Binary, BSONSymbol, Decimal128, Double, Long, MinKey, ObjectId, Timestamp, UUID } from 'bson'
import { expect, test } from 'vitest'
import { writeBareKey } from '../../src/bson/bare-key.ts'
import { findField } from '../../src/bson/walk.ts'
import { ByteWriter } from '../../src/bson/writer.ts'
import { bsonOf, element, rawDocument, rawString } from './documents.ts'

function bare(bson: Buffer): [string | undefined, Buffer] {
  const id = findField(bson, 0, bson.length, '_id')!
  const out = new ByteWriter()
  return [writeBareKey(out, id.type, id.bytes, id.start, id.end), out.take()]
}

test.each([
  ['a"b\n😀', 'string', 'a"b\n😀'],
  [new BSONSymbol('s'), 'string', 's'],
  ['', 'string', ''],
  [-5, 'number', '-5'],
  [Long.MAX_VALUE, 'number', '9223372036854775807'],
  [new Double(3), 'number', '3'],
  [Decimal128.fromString('3.00'), 'Decimal128', '3'],
  [Decimal128.fromString('0.1'), 'Decimal128', '0.1'],
  [new ObjectId('0123456789abcdef01234567'), 'ObjectId', '0123456789abcdef01234567'],
  [new Date(5), 'date', '1970-01-01T00:00:00.005Z'],
  [new UUID('01234567-89ab-4def-8123-456789abcdef'), 'UUID', '01234567-89ab-4def-8123-456789abcdef'],
  [new Binary(Buffer.from([1, 2, 3]), 0), 'binary', '00:AQID'],
  [true, 'boolean', 'true'],
])('the bare key of %s is a %s: %s', (id, type, text) => {
  expect(bare(bsonOf({ _id: id }))).toEqual([type, Buffer.from(text)])
})

test('a number has the same bare key in every type; the alike 0.1 of double and Decimal128 are of two classes', () => {
  const keys = [new Double(0.1), Decimal128.fromString('0.1')].map(id => bare(bsonOf({ _id: id })))
  expect(keys.map(([type, text]) => `${type} ${text}`)).toEqual(['number 0.1', 'Decimal128 0.1'])
})

test.each([{ a: 1 }, [1], null, new MinKey(), new Timestamp({ t: 1, i: 1 }), /a/])('%j has none', id => {
  expect(bare(bsonOf({ _id: id }))).toEqual([undefined, Buffer.alloc(0)])
})

test('damaged strings are kept as they are', () => {
  const bytes = Buffer.from([0x61, 0xff])
  expect(bare(rawDocument(element(0x02, '_id', rawString(bytes))))).toEqual(['string', bytes])
})
