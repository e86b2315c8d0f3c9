import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  Timestamp,
} from 'bson'
import fc from 'fast-check'
import type { JsonTranscoder } from '../../src/bson/json.ts'

/** Names that trip JSON writers, but not ones that JavaScript objects would put in another order. */
export const names = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'b',
    '_id',
    'a.b',
    '.',
    '$',
    '$oid',
    '$set',
    '__proto__',
    'constructor',
    'toString',
    '"',
    'é',
    '\n',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }).map(name => `n${name.replaceAll('\0', '')}`),
)

export const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({
    unit: fc.constantFrom('a', '"', '\\', '\n', '\u0001', 'é', '€', '😀', '\0'),
    minLength: 60,
    maxLength: 200,
  }),
  fc.string({ unit: 'grapheme-ascii', minLength: 60, maxLength: 500 }),
)

export const doubles = fc
  .oneof(
    fc.double(),
    fc.integer(),
    fc.constantFrom(0, -0, 3, Number.NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 60), 2 ** 63, 1e20, 1e21, 5e-324, 0.1),
  )
  .map(value => new Double(value))

export const longs = fc
  .oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.constantFrom(
      0n,
      2n ** 53n,
      2n ** 53n + 1n,
      -(2n ** 53n) - 1n,
      2n ** 63n - 1n,
      -(2n ** 63n),
      999999999999999999n,
    ),
  )
  .map(value => Long.fromBigInt(value))

export const decimals = fc
  .oneof(
    fc.constantFrom(
      'NaN',
      'Infinity',
      '-Infinity',
      '0',
      '-0',
      '-0E+3',
      '1E+6000',
      '9.999E-6143',
      '0.1',
      '0.000001',
      '1E-7',
      '1.50',
    ),
    fc
      .tuple(fc.bigInt({ min: -(10n ** 34n) + 1n, max: 10n ** 34n - 1n }), fc.integer({ min: -6176, max: 6111 }))
      .map(([digits, exponent]) => `${digits}E${exponent}`),
    fc.tuple(fc.integer(), fc.integer({ min: -12, max: 4 })).map(([digits, exponent]) => `${digits}E${exponent}`),
  )
  .map(text => Decimal128.fromString(text))

const bytes = fc.uint8Array({ maxLength: 40 })
const uint32 = fc.nat({ max: 0xffffffff })
export const objectIds = fc.uint8Array({ minLength: 12, maxLength: 12 }).map(id => new ObjectId(id))

/** All types that the bson package writes, but documents and arrays. */
export const scalars: fc.Arbitrary<unknown> = fc.oneof(
  texts,
  fc.integer().map(value => new Int32(value)),
  doubles,
  longs,
  decimals,
  objectIds,
  fc.boolean(),
  fc.constant(null),
  fc
    .oneof(
      fc.integer({ min: -8.64e15, max: 8.64e15 }),
      fc.constantFrom(0, 5, -5, 1_700_000_000_000, 253402300799999, 253402300800000, -62167219200001),
    )
    .map(ms => new Date(ms)),
  fc.tuple(bytes, fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 128)).map(([data, subtype]) => new Binary(data, subtype)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(data => new Binary(data, 4)),
  fc.tuple(uint32, uint32).map(([t, i]) => new Timestamp({ t, i })),
  fc
    .tuple(fc.string({ unit: 'grapheme', maxLength: 6 }), fc.constantFrom('', 'i', 'imsx'))
    .map(([pattern, options]) => new BSONRegExp(pattern.replaceAll('\0', ''), options)),
  texts.map(text => new BSONSymbol(text)),
  texts.map(text => new Code(text)),
  fc.tuple(texts, fc.integer()).map(([text, n]) => new Code(text, { n: new Int32(n), s: { t: text } })),
  fc.constantFrom(new MinKey(), new MaxKey()),
)

/** Documents as Maps, in which every name is possible, with documents and arrays inside. */
export const documents: fc.Arbitrary<Map<string, unknown>> = fc.letrec<{
  value: unknown
  document: Map<string, unknown>
}>(tie => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalars,
    tie('document'),
    fc.array(tie('value'), { maxLength: 5 }),
  ),
  document: fc
    .uniqueArray(fc.tuple(names, tie('value')), { maxLength: 8, selector: ([name]) => name })
    .map(entries => new Map(entries)),
})).document

export function bsonOf(document: object): Buffer {
  return Buffer.from(serialize(document, { ignoreUndefined: false }))
}

/** One element as BSON, for what the bson package does not write. */
export function element(type: number, name: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.of(type), Buffer.from(name), Buffer.of(0), value])
}

export function rawDocument(...elements: readonly Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.alloc(4), ...elements, Buffer.of(0)])
  body.writeInt32LE(body.length)
  return body
}

/** A BSON string value of any bytes. */
export function rawString(text: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32LE(text.length + 1)
  return Buffer.concat([length, text, Buffer.of(0)])
}

export function transcode(json: JsonTranscoder, bson: Buffer): string {
  json.out.reset()
  json.document(bson, 0, bson.length)
  return json.out.take().toString()
}
