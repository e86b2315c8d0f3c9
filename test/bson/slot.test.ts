import { Binary, BSONSymbol, Decimal128, Double, Int32, Long, ObjectId, serialize } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyJson } from '../../src/bson/key.ts'
import { murmur2, toPositive } from '../../src/bson/murmur2.ts'
import { slotHash, slotOf } from '../../src/bson/slot.ts'
import { findField } from '../../src/bson/walk.ts'
import { bsonOf, documents, element, rawDocument, scalars } from './documents.ts'

const json = new KeyJson()

/** The definition: murmur2 of the canonical key bytes, without its sign. */
function expected(key: Buffer): number {
  const id = findField(key, 0, key.length, '_id')
  if (id === undefined) return 0
  json.out.reset()
  json.value(id.type, id.bytes, id.start, id.end)
  return toPositive(murmur2(json.out.take()))
}

const slotOfId = (id: unknown, count = 1_009) => {
  const key = bsonOf(new Map([['_id', id]]))
  return slotOf(key, 0, key.length, count)
}

test('a slot is murmur2 of the canonical key bytes, modulo the count', () => {
  fc.assert(
    fc.property(fc.oneof(scalars, documents), fc.integer({ min: 1, max: 1_024 }), fc.nat(20), (id, count, offset) => {
      const key = bsonOf(new Map([['_id', id]]))
      // Wherever it lies in a reply.
      const reply = Buffer.concat([Buffer.alloc(offset, 0xff), key, Buffer.alloc(7, 0xff)])
      expect(slotOf(reply, offset, offset + key.length, count)).toBe(expected(key) % count)
    }),
  )
})

test('equal ids of different numeric types have the same slot, at every depth', () => {
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), value => {
      const decimal = Decimal128.fromString(String(value))
      const zeros = Decimal128.fromString(`${value}.000`)
      const all = [new Int32(value), Long.fromNumber(value), new Double(value), decimal, zeros]
      expect(new Set(all.map(id => slotOfId(id))).size).toBe(1)
      expect(new Set(all.map(id => slotOfId(new Map([['a', [id]]])))).size).toBe(1)
    }),
  )
  expect(slotOfId(new Double(-0))).toBe(slotOfId(new Int32(0)))
  expect(slotOfId(new BSONSymbol('a'))).toBe(slotOfId('a'))
})

test('what is different is spread evenly', () => {
  const count = 16
  const of = (ids: readonly unknown[]) => {
    const sizes = new Array<number>(count).fill(0)
    for (const id of ids) sizes[slotOfId(id, count)]!++
    return sizes.map(size => size / (ids.length / count))
  }
  const numbers = Array.from({ length: 16_000 }, (_, i) => i)
  for (const ids of [
    numbers.map(i => new Int32(i)),
    numbers.map(i => new ObjectId(`65a000000000000000${i.toString(16).padStart(6, '0')}`)),
    numbers.map(i => `user-${i}`),
    numbers.map(i => new Binary(Buffer.from(i.toString(16).padStart(32, '0'), 'hex'), 4)),
  ]) {
    for (const share of of(ids)) expect(Math.abs(share - 1)).toBeLessThan(0.15)
  }
})

test('the id is found behind a shard key', () => {
  const key = Buffer.from(serialize({ region: 'eu', _idx: 1, _id: 5 }))
  expect(slotHash(key, 0, key.length)).toBe(expected(key))
  expect(expected(key)).toBe(toPositive(murmur2(Buffer.from('5'))))
})

test('slot 0 is for what has no id, or none that can be spelled', () => {
  const none = Buffer.from(serialize({ region: 'eu' }))
  const damaged = rawDocument(element(0x05, '_id', Buffer.from([2, 0, 0, 0, 2, 0xff, 0xff])))
  for (const key of [none, damaged]) expect(slotOf(key, 0, key.length, 7)).toBe(0)
  // What was written before the damage was found does not spoil the next one.
  expect(slotOfId(7, 1_009)).toBe(toPositive(murmur2(Buffer.from('7'))) % 1_009)
})
