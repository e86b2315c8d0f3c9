import { Binary, BSONSymbol, Code, Decimal128, Double, EJSON, Int32, Long, ObjectId, serialize, Timestamp } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyJson } from '../../src/bson/key.ts'
import { findField } from '../../src/bson/walk.ts'
import { bsonOf, decimals, doubles, element, longs, rawDocument, rawString } from './documents.ts'

const json = new KeyJson()

function keyOfBson(bson: Buffer): string {
  const id = findField(bson, 0, bson.length, '_id')!
  json.out.reset()
  json.value(id.type, id.bytes, id.start, id.end)
  return json.out.take().toString()
}

const key = (id: unknown) => keyOfBson(bsonOf(new Map([['_id', id]])))
const decimal = (text: string) => Decimal128.fromString(text)

/** A number as coefficient and power of ten without trailing zeros: one text for one exact value. */
function exact(negative: boolean, digits: bigint, power: number): string {
  if (digits === 0n) return '0'
  let [coefficient, exponent] = [digits, power]
  while (coefficient % 10n === 0n) [coefficient, exponent] = [coefficient / 10n, exponent + 1]
  return `${negative ? '-' : ''}${coefficient}e${exponent}`
}

function exactDouble(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  // Doubling is exact, so after k doublings value = integer / 2^k = integer · 5^k / 10^k.
  let [size, places] = [Math.abs(value), 0]
  while (!Number.isInteger(size)) [size, places] = [size * 2, places + 1]
  return exact(value < 0, BigInt(size) * 5n ** BigInt(places), -places)
}

function exactDecimal(value: Decimal128): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:E([+-]\d+))?$/.exec(value.toString())
  if (parts === null) return value.toString()
  const [, sign, whole = '', fraction = '', exponent = '0'] = parts
  return exact(sign === '-', BigInt(whole + fraction), Number(exponent) - fraction.length)
}

/** What MongoDB's unique index tells apart, independent of the code under test. */
function identity(value: unknown): unknown {
  if (value instanceof Int32) return ['number', exactDouble(value.value)]
  if (value instanceof Double) return ['number', exactDouble(value.value)]
  if (value instanceof Timestamp) return ['timestamp', value.toString()] // Before Long, its base.
  if (value instanceof Long) return ['number', exact(value.isNegative(), BigInt(value.toString().replace('-', '')), 0)]
  if (value instanceof Decimal128) return ['number', exactDecimal(value)]
  if (value instanceof BSONSymbol) return ['string', value.value]
  if (typeof value === 'string') return ['string', value]
  if (Array.isArray(value)) return ['array', value.map(identity)]
  if (value instanceof Map) return ['document', [...value].map(([name, field]) => [name, identity(field)])]
  return ['other', Buffer.from(serialize({ v: value })).toString('hex')]
}

const small = fc.integer({ min: -2, max: 2 })
/** Few values in many types, so that equal pairs are common. */
const numbers = fc.oneof(
  small.map(value => new Int32(value)),
  small.map(value => Long.fromNumber(value)),
  fc
    .constantFrom(-2, -1, -0.5, -0, 0, 0.1, 0.5, 1, 2, Number.NaN, Infinity, 2 ** 53, 2 ** 63, 1e22)
    .map(v => new Double(v)),
  fc
    .constantFrom(
      '-0.50',
      '-0',
      '0E+5',
      '0.1',
      '0.5',
      '1',
      '1.0',
      '1E+0',
      '10E-1',
      'NaN',
      'Infinity',
      '9007199254740992',
    )
    .map(decimal),
  fc.constantFrom('9007199254740993', '9223372036854775807', '9223372036854775808', '1E+22', '1E+6000').map(decimal),
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n).map(value => Long.fromBigInt(value)),
)
const hex = '0123456789abcdef01234567'
const scalars = fc.oneof(
  { arbitrary: numbers, weight: 3 },
  fc.constantFrom('', '1', '0.5', 'NaN', hex, '$oid', '\ufffd', '{"$oid":"1"}', '\\u0024').filter(text => text !== ''),
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    new ObjectId(hex),
    new Date(1),
    new Date(-1),
    new Timestamp({ t: 0, i: 1 }),
  ),
  fc.constantFrom<unknown>(
    new BSONSymbol('1'),
    new Code('1'),
    new Binary(Buffer.from([1]), 0),
    new Binary(Buffer.from([1]), 2),
  ),
)
const names = fc.constantFrom('a', '$oid', '$date', '$numberDecimal', '$numberDouble', '$code', '\\u0024oid', '')
const ids = fc.letrec<{ id: unknown }>(tie => ({
  id: fc.oneof(
    { maxDepth: 2 },
    scalars,
    fc.array(tie('id'), { maxLength: 2 }),
    fc.uniqueArray(fc.tuple(names, tie('id')), { maxLength: 2, selector: ([name]) => name }).map(list => new Map(list)),
  ),
})).id

test('equal ids have the same bytes, different ids different ones', () => {
  const pairs = fc.uniqueArray(ids, { minLength: 2, maxLength: 30, comparator: Object.is })
  fc.assert(
    fc.property(pairs, list => {
      const keys = list.map(key)
      const identities = list.map(id => JSON.stringify(identity(id)))
      for (let i = 0; i < list.length; i++) {
        for (let j = 0; j < i; j++) expect(keys[i] === keys[j]).toBe(identities[i] === identities[j])
      }
    }),
    { numRuns: 1000 },
  )
})

test('numbers of any size and type are compared by exact value', () => {
  const any = fc.oneof(doubles, longs, decimals)
  fc.assert(
    fc.property(any, any, (a, b) => {
      expect(key(a) === key(b)).toBe(JSON.stringify(identity(a)) === JSON.stringify(identity(b)))
    }),
    { numRuns: 3000 },
  )
})

test('a double and the decimal of its exact value have one key', () => {
  const exactInDecimal = fc.tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), fc.integer({ min: -40, max: 60 }))
  fc.assert(
    fc.property(exactInDecimal, ([digits, power]) => {
      const value = digits * 2 ** power
      const [, coefficient, exponent] = /^(.*)e(.*)$/.exec(exactDouble(value)) ?? ['', '0', '0']
      fc.pre(coefficient!.length <= 34)
      expect(key(decimal(`${coefficient}E${exponent}`))).toBe(key(new Double(value)))
    }),
    { numRuns: 2000 },
  )
})

test.each([
  [new Int32(1), '1'],
  [new Double(0.1), '0.1'],
  [decimal('0.1'), '{"$numberDecimal":"0.1"}'],
  [decimal('1E+6000'), '{"$numberDecimal":"1E+6000"}'],
  [decimal('-5E-6170'), '{"$numberDecimal":"-5E-6170"}'],
  [new Double(1e300), '1e+300'],
  [decimal('1E+22'), '1e+22'],
  [new Double(2 ** 63), '9223372036854776000.0'],
  [decimal('-0E-10'), '0'],
  [decimal('NaN'), '{"$numberDouble":"NaN"}'],
  ['1', '"1"'],
  [new ObjectId(hex), `{"$oid":"${hex}"}`],
  [{ $oid: hex }, `{"\\u0024oid":"${hex}"}`],
  [{ $numberLong: '1' }, '{"\\u0024numberLong":"1"}'],
  [{ a: new Double(1), b: [decimal('2.00')] }, '{"a":1,"b":[2]}'],
])('key of %j is %s', (id, text) => expect(key(id)).toBe(text))

test('keys are Extended JSON of an equal value', () => {
  // The bson package reads documents with $ names as wrappers, and bare integers above 2^53 as doubles.
  const safe = ids.filter(id => !/u0024|\d{16}/.test(key(id)))
  fc.assert(
    fc.property(safe, id => {
      const parsed: unknown = EJSON.parse(`{"_id":${key(id)}}`, { relaxed: false })
      expect(key((parsed as { _id: unknown })._id)).toBe(key(id))
    }),
  )
})

test('damaged strings and names stay apart, from each other and from U+FFFD', () => {
  const inString = (bytes: number[]) => keyOfBson(rawDocument(element(0x02, '_id', rawString(Buffer.from(bytes)))))
  const inName = (bytes: number[]) =>
    keyOfBson(rawDocument(element(0x03, '_id', rawDocument(Buffer.from([0x0a, ...bytes, 0])))))
  for (const keyOf of [inString, inName]) {
    const keys = [[0xff], [0xfe], [0xed, 0xb3, 0xbf], [0xef, 0xbf, 0xbd], [0xc3], [0xc3, 0x28], [0xc0, 0x80]].map(keyOf)
    expect(new Set(keys).size).toBe(keys.length)
  }
})

test('an old binary with a false inner length has no key', () => {
  const bson = rawDocument(element(0x05, '_id', Buffer.from([2, 0, 0, 0, 2, 0xff, 0xff])))
  expect(() => keyOfBson(bson)).toThrow(RangeError)
})
