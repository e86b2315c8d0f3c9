import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CanonicalJson, RelaxedJson } from '../../src/bson/extended-json.ts'
import { KeyJson } from '../../src/bson/key.ts'
import { PlainJson } from '../../src/bson/plain-json.ts'
import { MAX_DEPTH } from '../../src/bson/walk.ts'
import { bsonOf, documents, element, rawDocument, rawString, transcode } from './documents.ts'

const formats = [
  ['json', new PlainJson()],
  ['extended-json', new RelaxedJson()],
  ['canonical-json', new CanonicalJson()],
  ['key', new KeyJson()],
] as const

/** `levels` documents inside each other, by turns in documents, arrays and scopes of code. */
function nested(levels: number): Buffer {
  let bson = rawDocument()
  for (let i = 1; i < levels; i++) {
    const code = rawString(Buffer.from('f'))
    const length = Buffer.alloc(4)
    length.writeInt32LE(4 + code.length + bson.length)
    bson = rawDocument(
      i % 3 === 0
        ? element(0x0f, 'c', Buffer.concat([length, code, bson]))
        : element(i % 3 === 1 ? 0x03 : 0x04, '0', bson),
    )
  }
  return bson
}

test.each(formats)('%s: 150, 200 and as many levels as allowed, and no more', (_name, json) => {
  for (const levels of [150, 200, MAX_DEPTH + 1]) {
    expect(() => JSON.parse(transcode(json, nested(levels)))).not.toThrow()
  }
  expect(() => transcode(json, nested(MAX_DEPTH + 2))).toThrow(RangeError)
  expect(() => transcode(json, nested(5000))).toThrow(RangeError)
})

test.each(formats)('%s: damaged BSON gives JSON or a RangeError, and the transcoder goes on', (_name, json) => {
  fc.assert(
    fc.property(documents, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 3 }), (document, damage) => {
      const bson = bsonOf(document)
      const good = transcode(json, bson)
      const damaged = Buffer.from(bson)
      for (const [at, value] of damage) damaged[at % damaged.length] = value
      try {
        JSON.parse(transcode(json, damaged))
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
      expect(transcode(json, bson)).toBe(good)
    }),
    { numRuns: 500 },
  )
})

test.each(formats)('%s: values that need the most room for their size', (_name, json) => {
  const least = (type: number, value: string) => element(type, '', Buffer.from(value, 'hex'))
  const int64 = '0000000000000080'
  const all = [
    ...[0xff, 0x7f, 0x0a, 0x06].map(type => least(type, '')),
    least(0x01, 'ffffffffffffefff'),
    least(0x09, int64),
    least(0x12, int64),
    least(0x11, 'ffffffffffffffff'),
    least(0x13, 'ffffffff638e8d37c087adbe09ed4180'),
    least(0x0b, '0000'),
    least(0x05, '0000000000'),
    least(0x0c, '0100000000000000000000000000000000'),
    least(0x0f, '0e00000001000000000500000000'),
  ]
  const many = rawDocument(...Array.from({ length: 20_000 }, (_, i) => all[i % all.length]!))
  const array = rawDocument(element(0x04, 'a', many))
  expect(() => JSON.parse(transcode(json, many))).not.toThrow()
  expect(JSON.parse(transcode(json, array)).a).toHaveLength(20_000)
})

test('writes a part of a buffer, and a single value', () => {
  const bson = bsonOf({ a: 'é', b: { c: 1 } })
  const json = new PlainJson()
  const whole = Buffer.concat([Buffer.alloc(5, 0xff), bson, Buffer.alloc(5, 0xff)])
  json.document(whole, 5, 5 + bson.length)
  json.value(0x02, bson, 7, bson.length)
  expect(json.out.take().toString()).toBe('{"a":"é","b":{"c":1}}"é"')
})

test('hands out memory of its own', () => {
  const json = new PlainJson()
  json.document(bsonOf({ a: 1 }), 0, 12)
  const first = json.out.take()
  transcode(json, bsonOf({ b: 2 }))
  expect(first.toString()).toBe('{"a":1}')
})

test('gives the room for a large document back', () => {
  const json = new PlainJson()
  transcode(json, bsonOf({ a: 'x'.repeat(9_000_000) }))
  const grown = json.out.bytes.length
  transcode(json, bsonOf({ b: 2 }))
  expect(json.out.bytes.length).toBeLessThan(grown / 10)
})
