import { Binary, Code, Decimal128, Int32, Long, ObjectId } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Elements, findField, valueEnd } from '../../src/bson/walk.ts'
import { bsonOf, documents, element, rawDocument } from './documents.ts'

test('goes over the elements of any document, each just behind the one before', () => {
  fc.assert(
    fc.property(documents, document => {
      const bson = bsonOf(document)
      const elements = new Elements(bson, 0, bson.length)
      const seen: string[] = []
      let expectedStart = 4
      while (elements.next()) {
        expect(elements.nameStart).toBe(expectedStart + 1)
        expect(elements.valueStart).toBe(elements.nameEnd + 1)
        seen.push(elements.name())
        expectedStart = elements.valueEnd
      }
      expect(expectedStart).toBe(bson.length - 1)
      expect(seen).toEqual([...document.keys()])
    }),
  )
})

test('finds a field anywhere in a buffer, by its whole name, the first of two', () => {
  const one = (name: string, value: number) => element(0x10, name, Buffer.of(value, 0, 0, 0))
  const bson = rawDocument(one('ab', 1), one('a', 2), one('a', 3), one('', 4), one('é', 5))
  const shifted = Buffer.concat([Buffer.alloc(7, 0xaa), bson, Buffer.alloc(3, 0xbb)])
  const value = (name: string) => {
    const found = findField(shifted, 7, 7 + bson.length, name)
    return found && [found.type, found.bytes.readInt32LE(found.start), found.end - found.start]
  }
  expect(value('a')).toEqual([0x10, 2, 4])
  expect(value('ab')).toEqual([0x10, 1, 4])
  expect(value('')).toEqual([0x10, 4, 4])
  expect(value('é')).toEqual([0x10, 5, 4])
  expect(value('b')).toBeUndefined()
})

const sample = bsonOf({
  s: 'text',
  n: new Int32(5),
  l: Long.fromNumber(7),
  d: { deep: [1.5, 'x', { y: null }] },
  o: new ObjectId('0123456789abcdef01234567'),
  b: new Binary(Buffer.from([1, 2, 3])),
  c: new Code('f', { a: 'b' }),
  x: Decimal128.fromString('1.5'),
  r: /a/i,
})

function walkAll(bytes: Buffer, start: number, end: number): void {
  const elements = new Elements(bytes, start, end)
  while (elements.next()) {
    expect(elements.valueEnd).toBeLessThan(end)
    if (elements.type === 0x03 || elements.type === 0x04) walkAll(bytes, elements.valueStart, elements.valueEnd)
  }
}

test('any damaged byte or cut gives a RangeError or a walk inside the buffer, never anything else', () => {
  const damage = fc.tuple(fc.nat({ max: sample.length - 1 }), fc.nat({ max: 255 }))
  fc.assert(
    fc.property(fc.array(damage, { minLength: 1, maxLength: 4 }), fc.nat({ max: sample.length }), (changes, length) => {
      const bytes = Buffer.from(sample)
      for (const [at, value] of changes) bytes[at] = value
      for (const buffer of [bytes, bytes.subarray(0, length)]) {
        try {
          walkAll(buffer, 0, buffer.length)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }
    }),
    { numRuns: 3000 },
  )
})

test.each([
  ['a length below 5', Buffer.from([4, 0, 0, 0, 0])],
  ['a negative length', Buffer.from([0xff, 0xff, 0xff, 0xff, 0])],
  ['a length beyond the buffer', Buffer.from([6, 0, 0, 0, 0])],
  ['no terminator', Buffer.from([5, 0, 0, 0, 1])],
  ['no room for a length', Buffer.from([5, 0])],
  ['an unknown type', rawDocument(element(0x20, 'a', Buffer.of(0)))],
  ['an early terminator', rawDocument(Buffer.of(0, 0))],
  ['a name without end', rawDocument(Buffer.of(0x10, 0x61, 0x61)).subarray(0, 8)],
  ['a string of length 0', rawDocument(element(0x02, 'a', Buffer.of(0, 0, 0, 0)))],
  ['a string longer than its document', rawDocument(element(0x02, 'a', Buffer.of(9, 0, 0, 0, 0x61, 0)))],
  ['a string without terminator', rawDocument(element(0x02, 'a', Buffer.of(2, 0, 0, 0, 0x61, 0x61)))],
  ['binary of negative length', rawDocument(element(0x05, 'a', Buffer.of(0xff, 0xff, 0xff, 0xff, 0)))],
  ['an int32 cut short', rawDocument(element(0x10, 'a', Buffer.of(1, 0)))],
  ['a nested document that is too long', rawDocument(element(0x03, 'a', Buffer.of(7, 0, 0, 0, 0)))],
  [
    'code with scope whose parts are too short',
    rawDocument(element(0x0f, 'a', Buffer.of(16, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0))),
  ],
])('refuses %s', (_what, bytes) => {
  expect(() => walkAll(bytes, 0, bytes.length)).toThrow(RangeError)
})

test('says where, not what', () => {
  const bytes = rawDocument(element(0x20, 'secret', Buffer.of(0)))
  expect(() => walkAll(bytes, 0, bytes.length)).toThrow('malformed BSON at byte 12: unknown type 0x20')
  expect(() => valueEnd(0x10, bytes, 14, bytes.length)).toThrow('malformed BSON at byte 14')
})
