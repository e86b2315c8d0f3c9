import { describe, expect, inject, it } from 'vitest'
import { freshDatabase, ids, openLab, patience, selection, take } from './lab.ts'

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('looking documents up', () => {
  it('never holds more than a slice of large documents, and each slice can be resumed from', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('lookup'))
    const c = db.collection<{ _id: number; text: string; n: number }>('c')
    const count = 80
    const text = 'x'.repeat(300_000)
    await c.insertMany(range(count).map(_id => ({ _id, text, n: 0 })))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`], { fullDocument: 'updateLookup' }))
    const from = await source.now(patience())
    // 24 MB of documents, by updates that fit in one reply of MongoDB.
    await c.updateMany({}, { $set: { n: 1 } })
    const { batches } = await take(source, from, count)
    const slices = batches.filter(({ events }) => events.length > 0)
    expect(ids(slices.flatMap(({ events }) => events))).toEqual(range(count).map(String))
    for (const { events } of slices) {
      let bytes = 0
      for (const { after, label } of events) {
        expect(label).toBe('later')
        bytes += after!.end - after!.start
      }
      expect(bytes).toBeLessThan(5_000_000)
    }
    for (const { position } of [slices[0]!, slices.at(-2)!]) {
      const behind = slices.filter(slice => slice.position.compare(position) > 0).flatMap(({ events }) => events)
      expect(ids((await take(source, position, behind.length)).events)).toEqual(ids(behind))
    }
    expect(slices.slice(0, -1).every(({ more }) => more)).toBe(true)
    await db.dropDatabase()
  })

  it('asks for many at once where documents are gone, too', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('lookup'))
    const c = db.collection<{ _id: number; n: number }>('c')
    await c.insertMany(range(2_000).map(_id => ({ _id, n: 0 })))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`], { fullDocument: 'updateLookup' }))
    const from = await source.now(patience())
    await c.updateMany({}, { $set: { n: 1 } })
    await c.deleteMany({})
    const { batches } = await take(source, from, 4_000)
    const slices = batches.filter(({ events }) => events.some(({ operation }) => operation === 'update'))
    expect(slices.flatMap(({ events }) => events.filter(({ label }) => label === 'missing'))).toHaveLength(2_000)
    // 100, 200, 400, 800 and so on, and one more for every reply of MongoDB.
    expect(slices.length).toBeLessThan(15)
    await db.dropDatabase()
  })

  it('asks for each document of many collections once, whatever the type of its id', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('lookup'))
    const names = range(6).map(i => `c${i}`)
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.*`], { fullDocument: 'updateLookup' }))
    const everyId = [1, 'one', { one: 1 }, 1.5, null]
    for (const name of names) {
      await db.collection<{ _id: unknown }>(name).insertMany(everyId.map(_id => ({ _id, name, n: 0 })))
    }
    const from = await source.now(patience())
    for (const n of [1, 2]) for (const name of names) await db.collection(name).updateMany({}, { $set: { n } })
    const { events } = await take(source, from, 2 * names.length * everyId.length)
    expect(events).toHaveLength(2 * names.length * everyId.length)
    for (const { collection, after, label, documentKey } of events) {
      expect(label).toBe('later')
      expect(after!.bytes.includes(collection, after!.start)).toBe(true)
      const key = documentKey!.bytes.subarray(documentKey!.start + 4, documentKey!.end - 1)
      expect(after!.bytes.subarray(after!.start + 4, after!.start + 4 + key.length)).toEqual(key)
    }
    await db.dropDatabase()
  })
})
