import { createRequire } from 'node:module'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { positionBytes } from '../src/encode/headers.ts'
import type { OutRecord } from '../src/record.ts'
import {
  outRecord,
  packHeaders,
  packRecords,
  positionText,
  sortKeyOfHeader,
  unpackHeaders,
} from '../src/record-headers.ts'
import { positionAt } from './encode/events.ts'

const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
const headers = fc
  .dictionary(fc.string({ maxLength: 70 }), fc.string({ maxLength: 70 }), { noNullPrototype: true })
  .chain(texts => bytes.map(position => ({ ...texts, 'm2k.position': position })))
const records: fc.Arbitrary<OutRecord> = fc.record({
  topic: fc.constantFrom('a', 'b'),
  partition: fc.nat({ max: 20 }),
  key: bytes,
  value: fc.option(bytes),
  headers,
  timestampMs: fc.nat(),
})

test('records come back from their columns as they were', () => {
  fc.assert(
    fc.property(fc.array(records, { maxLength: 5 }), list => {
      const packed = packRecords(list)
      expect(packed.count).toBe(list.length)
      expect(list.map((_, i) => outRecord(packed, i))).toEqual(list)
    }),
  )
})

test('a header may have the name of what objects inherit', () => {
  const given = { ...JSON.parse('{"__proto__":"a","constructor":"b"}'), toString: 'c' }
  const packed = packHeaders(given)
  expect(Object.entries(unpackHeaders(packed, 0, packed.length))).toEqual(Object.entries(given))
})

test("headers are as kafkajs's decoder reads them", () => {
  const require = createRequire(import.meta.url)
  const Decoder = require('kafkajs/src/protocol/decoder.js')
  const decodeHeader = require('kafkajs/src/protocol/recordBatch/header/v0/decoder.js')
  fc.assert(
    fc.property(headers, given => {
      const decoder = new Decoder(packHeaders(given))
      const found = decoder.readVarIntArray(decodeHeader) as { key: string; value: Buffer }[]
      const expected = Object.entries(given).map(([key, value]) => ({ key, value: Buffer.from(value) }))
      expect(found.map(({ key, value }) => ({ key, value: value ?? Buffer.alloc(0) }))).toEqual(expected)
    }),
  )
})

test.each([[[]], [[2]], [[2, 200]], [[2, 2, 97]], [[255, 255, 255, 255, 255, 255]]])('refuses %j', list => {
  expect(() => unpackHeaders(Buffer.from(list), 0, list.length)).toThrow(RangeError)
})

test('a position in a message names the moment and not the document (G9)', () => {
  expect(positionText(Buffer.of(7, 0, 255))).toBe('0700ff')
  const position = Buffer.concat([Buffer.alloc(13, 1), Buffer.from('canary')])
  expect(positionText(position)).toBe(`${'01'.repeat(13)}…`)
})

test('the order of positions comes back from header m2k.position, and from nothing else', () => {
  const position = positionAt(7, '0000FF005A')
  expect(sortKeyOfHeader(positionBytes(1, position, 0))).toEqual(position.sortKey)
  expect(sortKeyOfHeader(positionBytes(9, position, 254))).toEqual(position.sortKey)
  const header = positionBytes(1, position, 0)
  for (let length = 0; length < header.length; length++) {
    const found = sortKeyOfHeader(header.subarray(0, length))
    if (found !== undefined) expect(found).not.toEqual(position.sortKey)
  }
})
