import { deserialize, EJSON } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CanonicalJson, RelaxedJson } from '../../src/bson/extended-json.ts'
import { bsonOf, documents, element, rawDocument, rawString, transcode } from './documents.ts'

const canonical = new CanonicalJson()
const relaxed = new RelaxedJson()

function canonicalOracle(bson: Buffer): string {
  return EJSON.stringify(deserialize(bson, { promoteValues: false, promoteLongs: false, bsonRegExp: true }), {
    relaxed: false,
  })
}

/** The specification's way from canonical to relaxed. Quotes inside strings are escaped, so only wrappers match. */
function relaxedOracle(bson: Buffer): string {
  return canonicalOracle(bson)
    .replaceAll(/\{"\$date":\{"\$numberLong":"(\d+)"\}\}/g, (whole, ms) =>
      Number(ms) > 253402300799999 ? whole : `{"$date":"${new Date(Number(ms)).toISOString().replace('.000Z', 'Z')}"}`,
    )
    .replaceAll(/(\{"\$date":)?\{"\$number(?:Int|Long|Double)":"(-?\d[^"]*)"\}/g, (whole, date, number) =>
      date === undefined ? number : whole,
    )
}

test('writes canonical Extended JSON as the bson package does', () => {
  fc.assert(
    fc.property(documents, document => {
      const bson = bsonOf(document)
      expect(transcode(canonical, bson)).toBe(canonicalOracle(bson))
    }),
    { numRuns: 1000 },
  )
})

test('writes relaxed Extended JSON: bare exact numbers, dates as text', () => {
  fc.assert(
    fc.property(documents, document => {
      const bson = bsonOf(document)
      expect(transcode(relaxed, bson)).toBe(relaxedOracle(bson))
    }),
    { numRuns: 1000 },
  )
})

test('writes deprecated types as the specification does', () => {
  const id = Buffer.from('0123456789abcdef01234567', 'hex')
  const bson = rawDocument(
    element(0x06, 'u', Buffer.alloc(0)),
    element(0x0c, 'p', Buffer.concat([rawString(Buffer.from('a.b')), id])),
  )
  const text = '{"u":{"$undefined":true},"p":{"$dbPointer":{"$ref":"a.b","$id":{"$oid":"0123456789abcdef01234567"}}}}'
  expect(transcode(canonical, bson)).toBe(text)
  expect(transcode(relaxed, bson)).toBe(text)
})
