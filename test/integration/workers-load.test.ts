import { Decimal128, Long, MongoClient, ObjectId, UUID } from 'mongodb'
import { expect, inject, test } from 'vitest'
import type { WorkersStatus } from '../../src/status.ts'
import { Tail } from '../faults/tail.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'

const slots = 16
/** Of the mean: so far may one of the two workers lie from it, and both apart from each other twice as far. */
const mostOff = 0.1

interface Inserted {
  readonly fullDocument: { readonly v: string }
}

interface Numbered {
  readonly _id: unknown
  readonly v: string
}

/** Collections of very unequal size, each with ids of another type; the same ids in every run. */
const collections: Readonly<Record<string, { readonly size: number; readonly idOf: (i: number) => unknown }>> = {
  orders: { size: 7_200, idOf: i => new ObjectId(`66f0a1b28d1c2e3f4a${i.toString(16).padStart(6, '0')}`) },
  users: { size: 560, idOf: i => new UUID(`8d1c2e3f-4a5b-4c6d-8e7f-${i.toString(16).padStart(12, '0')}`) },
  items: { size: 160, idOf: i => i },
  ledger: { size: 40, idOf: i => Decimal128.fromString(`${i}.05`) },
  events: { size: 24, idOf: i => Long.fromNumber(2 ** 53).add(i) },
  shops: { size: 16, idOf: i => `shop-${i}` },
}
const documents = Object.values(collections).reduce((sum, { size }) => sum + size, 0)

function configOf(name: string): string {
  return `
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
delivery: at-least-once
workers: { slots: ${slots}, coordination: kafka, sessionTimeout: 60s }
admin: { port: 0 }
retry: { initial: 100ms, max: 1s }
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    topic: ${name}.all
    partitions: 4
`
}

const workersOf = async (daemon: Daemon) => (await daemon.get('/api/v1/workers')) as WorkersStatus

/** Waits until each of the two owns half of the slots, and gives which. */
async function halves(daemons: readonly Daemon[]): Promise<readonly (readonly number[])[]> {
  const found = async () => {
    const all = await Promise.all(daemons.map(workersOf))
    const isEven = all.every(({ state, owned }) => state === 'working' && owned.length === slots / 2)
    return isEven && new Set(all.flatMap(({ owned }) => owned)).size === slots
      ? all.map(({ owned }) => owned)
      : undefined
  }
  return eventually(found, () => `half of the slots each: ${daemons.map(({ output }) => output.slice(-2_000))}`)
}

test('two workers share the changes evenly, though nine of ten documents are in one collection', {
  timeout: 600_000,
}, async () => {
  const name = `ld${crypto.randomUUID().slice(0, 8)}`
  await using client = new MongoClient(inject('mongodbUri'))
  const db = client.db(name)
  for (const collection of Object.keys(collections)) await db.createCollection(collection)
  // By what stands in the topic: whatever was repeated, or moved to the other worker meanwhile, counts once.
  const bySlot = Array.from({ length: slots }, () => new Set<string>())
  await using _tail = new Tail({
    brokers: inject('kafkaBrokers'),
    topics: [`${name}.all`],
    see: (_topic, _partition, { value, headers }) => {
      const slot = Number(String(headers['m2k.source']).split('/').at(-1))
      if (value !== null) bySlot[slot]!.add((JSON.parse(value.toString()) as Inserted).fullDocument.v)
    },
  })
  const arrived = () => (bySlot.reduce((sum, { size }) => sum + size, 0) >= documents ? true : undefined)

  await using one = await Daemon.start(configOf(name))
  await using other = await Daemon.start(configOf(name))
  await halves([one, other])
  for (const daemon of [one, other]) await daemon.reaches('all', 'running', 'idle')
  for (const [collection, { size, idOf }] of Object.entries(collections)) {
    const rows = Array.from({ length: size }, (_, i): Numbered => ({ _id: idOf(i), v: `${collection}-${i}` }))
    await db.collection<Numbered>(collection).insertMany(rows)
  }

  await eventually(
    arrived,
    () => `${documents} documents: ${bySlot.map(({ size }) => size)}\n${one.output.slice(-2_000)}`,
  )
  expect(new Set(bySlot.flatMap(changes => [...changes])).size).toBe(documents) // Each document is one slot's.
  for (const owned of await halves([one, other])) {
    const load = owned.reduce((sum, slot) => sum + bySlot[slot]!.size, 0)
    expect(Math.abs(load / (documents / 2) - 1), `slots ${owned} have ${load}`).toBeLessThanOrEqual(mostOff)
  }
  for (const daemon of [one, other]) expect((await daemon.statuses())[0]?.records).toBeGreaterThan(0)
  for (const daemon of [one, other]) await daemon.reaches('all', 'idle') // Not in the middle of a replay.
  for (const daemon of [one, other]) expect(await daemon.stop('SIGTERM'), daemon.output.slice(-3_000)).toBe(0)
})
