import { Decimal128, ObjectId } from 'bson'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../src/bson/writer.ts'
import type { EncodeOptions } from '../../src/encode/encode.ts'
import { createKeyWriter, type KeyWriter } from '../../src/encode/key.ts'
import { Configuration } from '../../src/errors.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { type EventParts, eventOf } from './events.ts'

type Fields = EncodeOptions['key']['fields']

/** Behind other bytes, as in a block. */
function written(keys: KeyWriter, event: ChangeEvent): string {
  const out = new ByteWriter()
  out.text('before')
  keys.write(out, event)
  return out.bytes.toString('utf8', 'before'.length, out.length)
}

const keyOf = (fields: Fields, parts: EventParts) =>
  written(createKeyWriter({ fields, format: 'extended-json' }), eventOf(parts))

const documentKey = { _id: 1, region: 'eu' }

test('is the value of _id', () => {
  const id = new ObjectId('0123456789abcdef01234567')
  expect(keyOf(['_id'], { operation: 'delete', documentKey: { _id: id } })).toBe('{"$oid":"0123456789abcdef01234567"}')
  expect(keyOf(['_id'], { operation: 'insert', documentKey: { _id: Decimal128.fromString('1.0') } })).toBe('1')
})

test('is documentKey, in its order', () => {
  expect(keyOf('documentKey', { operation: 'delete', documentKey })).toBe('{"_id":1,"region":"eu"}')
})

test('is other fields, one as its value, several as a document in the configured order', () => {
  const after = { _id: 1, customer: { id: 'c', tags: ['x'] }, $x: 2 }
  expect(keyOf(['customer.id'], { operation: 'insert', documentKey, after })).toBe('"c"')
  expect(keyOf(['customer'], { operation: 'insert', documentKey, after })).toBe('{"id":"c","tags":["x"]}')
  expect(keyOf(['$x', 'customer.id', '_id'], { operation: 'insert', documentKey, after })).toBe(
    '{"\\u0024x":2,"customer.id":"c","_id":1}',
  )
})

test('of a delete comes from the pre-image, else from documentKey', () => {
  expect(keyOf(['region'], { operation: 'delete', documentKey })).toBe('"eu"')
  expect(keyOf(['owner'], { operation: 'delete', documentKey, before: { _id: 1, owner: 'o' } })).toBe('"o"')
})

test('of an update never comes from the pre-image', () => {
  const update = { operation: 'update', documentKey, before: { _id: 1, owner: 'o' } }
  expect(() => keyOf(['owner'], update)).toThrow('key field "owner" is missing')
  expect(() => keyOf(['owner.name'], { ...update, after: { owner: 'o' } })).toThrow('key field "owner.name" is missing')
})

test('of an event without document is its namespace, which no id can spell', () => {
  expect(keyOf(['_id'], { operation: 'drop' })).toBe('{"$ns":{"db":"shop","coll":"orders"}}')
  expect(keyOf(['x'], { operation: 'dropDatabase', collection: '' })).toBe('{"$ns":{"db":"shop"}}')
  const posing = { _id: { $ns: { db: 'shop', coll: 'orders' } } }
  expect(keyOf(['_id'], { operation: 'insert', documentKey: posing })).toBe(
    '{"\\u0024ns":{"db":"shop","coll":"orders"}}',
  )
})

test('format string writes bare text and refuses what has none', () => {
  const keys = createKeyWriter({ fields: ['_id'], format: 'string' })
  expect(written(keys, eventOf({ operation: 'insert', documentKey: { _id: 'a"b' } }))).toBe('a"b')
  expect(written(keys, eventOf({ operation: 'drop' }))).toBe('{"$ns":{"db":"shop","coll":"orders"}}')
  const refused = (id: unknown) => () => written(keys, eventOf({ operation: 'insert', documentKey: { _id: id } }))
  expect(refused({ a: 1 })).toThrow('no bare text')
  expect(refused('{"$ns":{"db":"shop","coll":"orders"}}')).toThrow(RangeError)
})

test('format string refuses a second type in a collection, not in another one', () => {
  const keys = createKeyWriter({ fields: ['_id'], format: 'string' })
  const key = (id: unknown, collection: string) =>
    written(keys, eventOf({ operation: 'insert', documentKey: { _id: id }, collection }))
  expect([key(1, 'a'), key(1.5, 'a'), key('1', 'b')]).toEqual(['1', '1.5', '1'])
  expect(() => key('1', 'a')).toThrow('a key of type string after keys of type number')
})

test.each([['documentKey'], [['a', 'b']], [[]]] as [Fields][])(
  'format string of %j is a configuration error',
  fields => {
    expect(() => createKeyWriter({ fields, format: 'string' })).toThrow(Configuration)
  },
)
