import {
  Binary,
  BSON,
  BSONSymbol,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
} from 'mongodb'

/** An `_id` that MongoDB takes: anything but arrays and regular expressions. */
export type DocumentId =
  | number
  | string
  | boolean
  | null
  | Date
  | Long
  | Double
  | Decimal128
  | Binary
  | ObjectId
  | MinKey
  | MaxKey
  | Timestamp
  | BSONSymbol
  | { readonly [name: string]: DocumentId }

/** An `_id` and how it must be written, by hand and not by anything of ours. */
export interface SampleId {
  readonly id: DocumentId
  /** The bytes of the record's key: canonical, so that equal ids are equal (docs/contract.md, Records). */
  readonly key: string
  /** In the value, format `json`. */
  readonly json: string
}

const same = (id: DocumentId, text: string): SampleId => ({ id, key: text, json: text })
const long = (text: string) => same(Long.fromString(text), text)
const decimal = (text: string, key: string): SampleId => ({
  id: Decimal128.fromString(text),
  key,
  json: `"${text}"`,
})

/** One of each kind, all different to MongoDB, some of them alike to whoever looks less closely. */
export const sampleIds: readonly SampleId[] = [
  long('9007199254740993'),
  long('9223372036854775807'),
  long('-9223372036854775808'),
  same(new Double(0.1), '0.1'),
  same(new Double(-1.5e300), '-1.5e+300'),
  { id: new Double(Number.NaN), key: '{"$numberDouble":"NaN"}', json: '"NaN"' },
  decimal('0.1', '{"$numberDecimal":"0.1"}'),
  decimal('1.50', '1.5'),
  decimal('9007199254740995.00', '9007199254740995'),
  decimal('-1234567890123456789012345678.901234', '{"$numberDecimal":"-1234567890123456789012345678.901234"}'),
  {
    id: new Date('2024-02-29T12:00:00.123Z'),
    key: '{"$date":"2024-02-29T12:00:00.123Z"}',
    json: '"2024-02-29T12:00:00.123Z"',
  },
  { id: new Date(-1), key: '{"$date":{"$numberLong":"-1"}}', json: '"1969-12-31T23:59:59.999Z"' },
  {
    id: new UUID('00112233-4455-6677-8899-aabbccddeeff'),
    key: '{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}',
    json: '"00112233-4455-6677-8899-aabbccddeeff"',
  },
  {
    id: new Binary(Buffer.from([0, 1, 255]), 128),
    key: '{"$binary":{"base64":"AAH/","subType":"80"}}',
    json: '"AAH/"',
  },
  {
    id: new ObjectId('0123456789abcdef01234567'),
    key: '{"$oid":"0123456789abcdef01234567"}',
    json: '"0123456789abcdef01234567"',
  },
  same('0123456789abcdef01234567', '"0123456789abcdef01234567"'),
  {
    id: { n: Long.fromString('9007199254740995'), d: { x: Decimal128.fromString('0.10'), nil: null }, e: {} },
    key: '{"n":9007199254740995,"d":{"x":{"$numberDecimal":"0.1"},"nil":null},"e":{}}',
    json: '{"n":9007199254740995,"d":{"x":"0.10","nil":null},"e":{}}',
  },
  same(null, 'null'),
  same(true, 'true'),
  same(false, 'false'),
  same(new MinKey(), '{"$minKey":1}'),
  same(new MaxKey(), '{"$maxKey":1}'),
  {
    id: new Timestamp({ t: 4_000_000_000, i: 2 }),
    key: '{"$timestamp":{"t":4000000000,"i":2}}',
    json: '{"t":4000000000,"i":2}',
  },
  same(new BSONSymbol('a symbol'), '"a symbol"'),
]

const byBytes = new Map(sampleIds.map(({ id, key }) => [bytesOf(id), key]))
const byKey = new Map(sampleIds.map(sample => [sample.key, sample]))

/** The bytes of the record's key for an `_id` as the driver gives it (`promoteValues: false`) or takes it. */
export function keyOf(id: unknown): string {
  const sample = byBytes.get(bytesOf(id))
  if (sample !== undefined) return sample
  if (id instanceof Int32) return String(id.value)
  if (Number.isInteger(id) || typeof id === 'string') return JSON.stringify(id)
  throw new RangeError(`nobody wrote the _id ${BSON.EJSON.stringify({ id }, { relaxed: false })}`)
}

/** How the `_id` of a record with this key must stand in its value, format `json`. */
export function jsonOf(key: string): string {
  return byKey.get(key)?.json ?? key
}

function bytesOf(id: unknown): string {
  return Buffer.from(BSON.serialize({ id })).toString('hex')
}
