/**
 * What a value costs: the transcoders, bytes to bytes, against decoding with the bson package and JSON.stringify.
 * Prints CPU seconds per million and how many times cheaper each is than decoding, for documents with fields of many
 * kinds, for the documents of the backlog benchmark, and for whole insert events of them. All are measured in turns in
 * one process that has used every format, as the daemon has; the input lies in one buffer, as in a reply of MongoDB,
 * and the output goes into one, as in a block of records. The least of five rounds counts.
 *
 *     node bench/transcode.ts
 */
import { Decimal128, deserialize, EJSON, Long, ObjectId, serialize, Timestamp, UUID } from 'bson'
import { CanonicalJson, RelaxedJson } from '../src/bson/extended-json.ts'
import type { JsonTranscoder } from '../src/bson/json.ts'
import { KeyJson } from '../src/bson/key.ts'
import { PlainJson } from '../src/bson/plain-json.ts'
import { findField } from '../src/bson/walk.ts'
import { writeChangeEvent } from '../src/encode/change-event.ts'
import type { Span } from '../src/event.ts'

const COUNT = 2000
const ROUNDS = 5
const REPEATS = 40

const words = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel', 'india', 'juliet']
let state = 42

/** 0 to 1, the same in every run. */
function chance(): number {
  state = (state * 48_271) % 2_147_483_647
  return state / 2_147_483_647
}

function word(): string {
  return words[Math.floor(chance() * words.length)]!
}

/** Fields of many kinds. */
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

/** As bench/peers/load.mjs makes them. */
function backlogDocument(i: number) {
  const time = 1_790_000_000_000 + i
  return {
    _id: new ObjectId(),
    seq: i,
    t: Long.fromNumber(time),
    user: new UUID().toString(),
    email: `${word()}.${i}@example.com`,
    status: word(),
    amount: chance() * 1000 + 0.01,
    qty: Math.floor(chance() * 100),
    active: i % 2 === 0,
    createdAt: new Date(time),
    tags: [word(), word(), word()],
    address: { street: `${i % 999} ${word()} street`, city: word(), zip: String(10_000 + i), country: 'NL' },
    note: 'The quick brown fox jumps over the lazy dog, and then it does it again and again because it can. ',
  }
}

/** As a change stream delivers it. */
function insertEvent(i: number): object {
  const fullDocument = backlogDocument(i)
  return {
    _id: { _data: '82'.padEnd(130, '0A1B') },
    operationType: 'insert',
    clusterTime: new Timestamp({ t: 1_790_000_000 + (i >> 10), i: i & 1023 }),
    wallTime: new Date(1_790_000_000_000 + i),
    fullDocument,
    ns: { db: 'bench', coll: 'docs' },
    documentKey: { _id: fullDocument._id },
  }
}

/** All of them in one buffer. */
function packed(make: (i: number) => object): readonly Span[] {
  const parts = Array.from({ length: COUNT }, (_, i) => serialize(make(i)))
  const bytes = Buffer.concat(parts)
  let start = 0
  return parts.map(({ length }) => {
    start += length
    return { bytes, start: start - length, end: start }
  })
}

type Way = () => number

function decoder(spans: readonly Span[], stringify: (document: object) => string): Way {
  const documents = spans.map(({ bytes, start, end }) => bytes.subarray(start, end))
  return () => {
    let size = 0
    for (const document of documents) size += Buffer.from(stringify(deserialize(document))).length
    return size
  }
}

function documentWriter(json: JsonTranscoder, spans: readonly Span[]): Way {
  return () => {
    json.out.reset()
    for (const { bytes, start, end } of spans) json.document(bytes, start, end)
    return json.out.length
  }
}

function eventWriter(json: JsonTranscoder, spans: readonly Span[]): Way {
  const events = spans.map(raw => ({
    raw,
    after: findField(raw.bytes, raw.start, raw.end, 'fullDocument'),
    before: undefined,
  }))
  return () => {
    json.out.reset()
    for (const event of events) writeChangeEvent(json, event)
    return json.out.length
  }
}

const formats: readonly (readonly [string, JsonTranscoder])[] = [
  ['json', new PlainJson()],
  ['extended-json', new RelaxedJson()],
  ['canonical-json', new CanonicalJson()],
  ['canonical key of all', new KeyJson()],
]

const BASELINE = 'deserialize, JSON.stringify'

function waysOf(
  spans: readonly Span[],
  writer: (json: JsonTranscoder, spans: readonly Span[]) => Way,
): ReadonlyMap<string, Way> {
  return new Map<string, Way>([
    [BASELINE, decoder(spans, document => JSON.stringify(document))],
    ['deserialize, EJSON.stringify', decoder(spans, document => EJSON.stringify(document))],
    ...formats.map(([name, json]) => [name, writer(json, spans)] as const),
  ])
}

/** CPU seconds per million. */
function measure(way: Way): number {
  const before = process.cpuUsage()
  for (let i = 0; i < REPEATS; i++) way()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / (REPEATS * COUNT)
}

const inputs = [
  ['documents of many kinds of fields', packed(order), documentWriter],
  ['documents of the backlog', packed(backlogDocument), documentWriter],
  ['insert events of the backlog', packed(insertEvent), eventWriter],
] as const
const cases = inputs.map(([name, spans, writer]) => {
  return { name, spans, ways: waysOf(spans, writer), least: new Map<string, number>() }
})

for (const { ways } of cases) for (const way of ways.values()) way()
for (let round = 0; round < ROUNDS; round++) {
  for (const { ways, least } of cases) {
    for (const [name, way] of ways) least.set(name, Math.min(least.get(name) ?? Infinity, measure(way)))
  }
}
console.log(`Node ${process.version}`)
for (const { name, spans, least } of cases) {
  console.log(`\n${COUNT} ${name}, ${Math.round(spans.at(-1)!.end / COUNT)} bytes each`)
  for (const [way, cost] of least) {
    const ratio = least.get(BASELINE)! / cost
    console.log(`${way.padEnd(30)} ${cost.toFixed(2).padStart(7)} CPU s/M   ${ratio.toFixed(1)}x`)
  }
}
