/**
 * What a value costs: the transcoders, bytes to bytes, against decoding with the bson package and JSON.stringify.
 * Prints CPU seconds per million documents of about 500 bytes and how many times cheaper each is than decoding; both
 * are measured in turns in one run, so that the machine's load hits them alike. The least of five rounds counts.
 *
 *     node bench/transcode.ts
 */
import { Decimal128, deserialize, EJSON, Long, ObjectId, serialize } from 'bson'
import { CanonicalJson, RelaxedJson } from '../src/bson/extended-json.ts'
import type { JsonTranscoder } from '../src/bson/json.ts'
import { KeyJson } from '../src/bson/key.ts'
import { PlainJson } from '../src/bson/plain-json.ts'

const ROUNDS = 5
const REPEATS = 40

function order(i: number): object {
  return {
    _id: new ObjectId(),
    number: i,
    total: Decimal128.fromString(`${i}.95`),
    weight: i * 0.37,
    version: Long.fromNumber(i * 1_000_003),
    createdAt: new Date(1_700_000_000_000 + i * 1001),
    customer: { name: 'Ann Example', email: `ann${i}@example.org`, city: 'Zürich', active: i % 2 === 0 },
    items: [
      { sku: `A-${i}`, quantity: 2, price: 9.5, gift: null },
      { sku: `B-${i}`, quantity: 1, price: 120, gift: null },
    ],
    status: 'shipped',
    tags: ['new', 'priority', 'europe'],
    note: 'Please leave the parcel with the neighbours when nobody is at home, and ring twice.',
  }
}

const documents = Array.from({ length: 2000 }, (_, i) => Buffer.from(serialize(order(i))))

function transcoder(json: JsonTranscoder): () => number {
  return () => {
    let bytes = 0
    for (const document of documents) {
      json.out.reset()
      json.document(document, 0, document.length)
      bytes += json.out.take().length
    }
    return bytes
  }
}

function decoder(stringify: (document: object) => string): () => number {
  return () => {
    let bytes = 0
    for (const document of documents) bytes += Buffer.from(stringify(deserialize(document))).length
    return bytes
  }
}

const BASELINE = 'deserialize, JSON.stringify'
const ways = new Map<string, () => number>([
  [BASELINE, decoder(document => JSON.stringify(document))],
  ['deserialize, EJSON.stringify', decoder(document => EJSON.stringify(document))],
  ['json', transcoder(new PlainJson())],
  ['extended-json', transcoder(new RelaxedJson())],
  ['canonical-json', transcoder(new CanonicalJson())],
  ['canonical key of all', transcoder(new KeyJson())],
])

/** CPU seconds per million documents. */
function measure(way: () => number): number {
  const before = process.cpuUsage()
  for (let i = 0; i < REPEATS; i++) way()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / (REPEATS * documents.length)
}

const least = new Map<string, number>()
for (const way of ways.values()) way()
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, way] of ways) least.set(name, Math.min(least.get(name) ?? Infinity, measure(way)))
}
const size = documents.reduce((sum, document) => sum + document.length, 0) / documents.length
console.log(`${documents.length} documents of ${Math.round(size)} bytes, Node ${process.version}`)
for (const [name, cost] of least) {
  const ratio = least.get(BASELINE)! / cost
  console.log(`${name.padEnd(30)} ${cost.toFixed(2).padStart(7)} CPU s/M   ${ratio.toFixed(1)}x`)
}
