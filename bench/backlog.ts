import { randomUUID } from 'node:crypto'
import { Long, type MongoClient, ObjectId } from 'mongodb'

export const database = 'bench'
export const collections = { mixed: 'docs', latency: 'latency', flat: 'flat' } as const

const batchSize = 1_000
const words = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel', 'india', 'juliet']
const note = 'The quick brown fox jumps over the lazy dog, and then it does it again and again because it can. '

function pick(): string {
  return words[Math.floor(Math.random() * words.length)]!
}

/** About 500 bytes of BSON in 13 fields, as the peers were measured with before. */
export function document(seq: number) {
  return {
    _id: new ObjectId(),
    seq,
    t: Long.fromNumber(Date.now()),
    user: randomUUID(),
    email: `${pick()}.${seq}@example.com`,
    status: pick(),
    amount: Math.random() * 1_000 + 0.01,
    qty: seq % 100,
    active: seq % 2 === 0,
    createdAt: new Date(),
    tags: [pick(), pick(), pick()],
    address: {
      street: `${seq % 999} ${pick()} street`,
      city: pick(),
      zip: `${10_000 + (seq % 89_999)}`,
      country: 'NL',
    },
    note,
  }
}

/** Where a backlog begins: as MongoDB names it, and as a time for `startAt`. */
export interface Start {
  readonly clusterTime: bigint
  readonly iso: string
}

/** Waits for a whole second, since `startAt` names seconds: what is written from now on comes after it. */
async function start(client: MongoClient): Promise<Start> {
  await new Promise(resolve => setTimeout(resolve, 1_000 - (Date.now() % 1_000)))
  const { operationTime } = await client.db(database).command({ ping: 1 })
  const iso = new Date(Math.floor(Date.now() / 1_000) * 1_000).toISOString()
  return { clusterTime: operationTime.toBigInt() + 1n, iso }
}

/** Writes `events` changes to the collection `docs`: 60 % insert, 30 % `$set`, 10 % delete. */
export async function writeMixed(client: MongoClient, events: number, signal: AbortSignal): Promise<Start> {
  const docs = client.db(database).collection(collections.mixed)
  const began = await start(client)
  const live: ObjectId[] = []
  let oldest = 0
  for (let done = 0; done < events; ) {
    signal.throwIfAborted()
    const size = Math.min(batchSize, events - done)
    const [inserts, deletes] = [Math.round(size * 0.6), Math.round(size * 0.1)]
    const documents = Array.from({ length: inserts }, (_, i) => document(done + i))
    await docs.insertMany(documents, { ordered: false })
    live.push(...documents.map(({ _id }) => _id))
    const updates = Array.from({ length: size - inserts - deletes }, (_, i) => {
      const _id = live[oldest + Math.floor(Math.random() * (live.length - oldest))]!
      const changed = { status: pick(), amount: Math.random() * 1_000 + 0.01, 'address.city': `${pick()} ${done + i}` }
      return { updateOne: { filter: { _id }, update: { $set: changed } } }
    })
    if (updates.length > 0) await docs.bulkWrite(updates, { ordered: false })
    const removed = live.slice(oldest, oldest + deletes)
    oldest += deletes
    const removals = removed.map(_id => ({ deleteOne: { filter: { _id } } }))
    if (removals.length > 0) await docs.bulkWrite(removals, { ordered: false })
    done += size
  }
  return began
}

/** Names of the `count` collections of the scenario `pipelines`. */
export function manyCollections(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `m${String(i).padStart(2, '0')}`)
}

/** Writes `events` inserts to the collections in turn, ten at a time. */
export async function writeMany(
  client: MongoClient,
  names: readonly string[],
  events: number,
  signal: AbortSignal,
): Promise<Start> {
  const began = await start(client)
  const chunk = 10
  const writers = 8
  const write = async (first: number) => {
    for (let at = first * chunk; at < events; at += writers * chunk) {
      signal.throwIfAborted()
      const documents = Array.from({ length: Math.min(chunk, events - at) }, (_, i) => document(at + i))
      const name = names[(at / chunk) % names.length]!
      await client.db(database).collection(name).insertMany(documents, { ordered: false })
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, first) => write(first)))
  return began
}
