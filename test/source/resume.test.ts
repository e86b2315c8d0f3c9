import {
  Binary,
  BSON,
  BSONSymbol,
  Code,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  ObjectId,
  Timestamp,
} from 'mongodb'
import { describe, expect, inject, it } from 'vitest'
import { Position } from '../../src/position.ts'
import { freshDatabase, ids, openLab, patience, selection, streamsOpen, take } from './lab.ts'

/** One id of every type that MongoDB takes as `_id`, the hard numbers among them. */
const everyId: readonly unknown[] = [
  new Int32(1),
  Long.fromString('9007199254740995'),
  Long.fromString('-9223372036854775808'),
  new Double(0.1),
  new Double(Number.NaN),
  Decimal128.fromString('1.50'),
  Decimal128.fromString('-1E+6000'),
  'text',
  '',
  new ObjectId(),
  { a: new Int32(1), b: { c: Decimal128.fromString('2.0') } },
  new Binary(Buffer.from([1, 2, 3]), 0),
  new Binary(Buffer.alloc(16, 7), 4),
  true,
  null,
  new Date(-1),
  new Timestamp({ t: 7, i: 9 }),
  new Code('f()'),
  new BSONSymbol('s'),
  new MaxKey(),
]

describe('resuming', () => {
  it('goes on after every event by its stored token, whatever the type of its id', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('resume'))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
    const from = await source.now(patience())
    const c = db.collection<Document>('c')
    await c.insertMany(everyId.map(_id => ({ _id })) as Document[])
    const { events } = await take(source, from, everyId.length)
    const all = ids(events)
    expect(all).toHaveLength(everyId.length)
    for (const [index, event] of events.slice(0, -1).entries()) {
      const stored = Position.parse(JSON.parse(JSON.stringify(event.position)))
      const rest = await take(source, stored, all.length - index - 1)
      expect(ids(rest.events)).toEqual(all.slice(index + 1))
    }
  })

  it('starts at a cluster time, inclusive', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('resume'))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
    const from = await source.now(patience())
    const c = db.collection<{ _id: number }>('c')
    for (let _id = 0; _id < 5; _id++) await c.insertOne({ _id })
    const { events } = await take(source, from, 5)
    const again = await take(source, Position.ofTime(events[2]!.position.clusterTime), 3)
    expect(ids(again.events)).toEqual(['2', '3', '4'])
  })

  it('resumes inside a transaction', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('resume'))
    await db.createCollection('c')
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
    const from = await source.now(patience())
    await lab.client.withSession(session =>
      session.withTransaction(async () => {
        for (let _id = 0; _id < 300; _id++) await db.collection<{ _id: number }>('c').insertOne({ _id }, { session })
      }),
    )
    const { events } = await take(source, from, 300)
    expect(new Set(events.map(event => event.position.clusterTime)).size).toBe(1)
    for (const at of [0, 1, 127, 128, 255, 256, 298]) {
      expect(events[at]!.position.compare(events[at + 1]!.position)).toBeLessThan(0)
      const rest = await take(source, events[at]!.position, 299 - at)
      expect(ids(rest.events)).toEqual(ids(events.slice(at + 1)))
    }
  })

  it('falls back to the time where the token is of another stream', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('resume'))
    const wide = lab.mongo.source(selection('wide', [`${db.databaseName}.*`]))
    const from = await wide.now(patience())
    for (let _id = 0; _id < 3; _id++) {
      await db.collection<{ _id: number }>('a').insertOne({ _id })
      await db.collection<{ _id: number }>('b').insertOne({ _id: _id + 10 })
    }
    const { events } = await take(wide, from, 6)
    await using other = await openLab(inject('mongodbUri'))
    const narrow = other.mongo.source(selection('narrow', [`${db.databaseName}.b`]))
    expect(ids((await take(narrow, events[2]!.position, 2)).events)).toEqual(['11', '12'])
  })

  it('loses and repeats nothing when the filter or the collections change', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('resume'))
    const all = lab.mongo.source(selection('p', [`${db.databaseName}.*`]))
    const from = await all.now(patience())
    await lab.client.withSession(session =>
      session.withTransaction(async () => {
        for (let _id = 0; _id < 20; _id++) {
          await db.collection<{ _id: number }>(_id % 2 === 0 ? 'a' : 'b').insertOne({ _id }, { session })
        }
      }),
    )
    const { events } = await take(all, from, 20)
    const filter = { operationType: 'insert', 'fullDocument._id': { $gte: 5 } }
    const changed = [
      selection('p', [`${db.databaseName}.*`], { filter }),
      selection('p', [`${db.databaseName}.b`], { filter }),
      selection('p', [`${db.databaseName}.b`]),
    ]
    expect(new Set(changed.map(one => lab.mongo.filterHash(one))).size).toBe(3)
    const evenOr = (b: boolean, least: number) => (id: number) => id >= least && (!b || id % 2 === 1)
    const wants = [evenOr(false, 5), evenOr(true, 5), evenOr(true, 0)]
    for (const at of [0, 1, 10, 17]) {
      const { position: stored } = events[at]!
      const { byTime } = Position.parse(stored.toJSON())
      expect(byTime.toJSON()).toEqual(stored.toJSON())
      for (const [i, one] of changed.entries()) {
        const mine = Array.from({ length: 19 - at }, (_, more) => at + 1 + more).filter(wants[i]!)
        // By time, as the hash tells, and by the token, which MongoDB may refuse.
        for (const position of [byTime, stored]) {
          const rest = await take(lab.mongo.source(one), position, mine.length)
          expect(ids(rest.events)).toEqual(mine.map(String))
        }
      }
    }
  })

  it('goes on behind drop, rename and dropDatabase', async () => {
    for (const filter of [undefined, { operationType: { $in: ['insert', 'drop', 'rename'] } }]) {
      await using lab = await openLab(inject('mongodbUri'))
      const db = lab.client.db(freshDatabase('resume'))
      const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`], { filter }))
      const from = await source.now(patience())
      const c = db.collection<{ _id: number }>('c')
      await c.insertOne({ _id: 1 })
      await c.drop()
      await c.insertOne({ _id: 2 })
      await c.rename('d')
      await c.insertOne({ _id: 3 })
      await db.dropDatabase()
      await c.insertOne({ _id: 4 })
      const { events } = await take(source, from, 7)
      const operations = events.map(event => event.operation)
      expect(operations).toEqual(['insert', 'drop', 'insert', 'rename', 'insert', 'drop', 'insert'])
      for (const [at, event] of events.slice(0, -1).entries()) {
        const rest = await take(source, event.position, 6 - at)
        expect(rest.events.map(one => one.operation)).toEqual(operations.slice(at + 1))
      }
    }
  })

  it('goes on behind an invalidate, by its token and by its time', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(freshDatabase('resume'))
    const c = await db.createCollection<{ _id: number }>('c')
    const stream = c.watch()
    const first = stream.next() // Opens the stream.
    await expect.poll(() => streamsOpen(lab, db.databaseName), { timeout: 120_000 }).toBe(1)
    await c.drop()
    expect((await first).operationType).toBe('drop')
    const invalidate = await stream.next()
    expect(invalidate.operationType).toBe('invalidate')
    await db.collection<{ _id: number }>('c').insertOne({ _id: 1 })
    const position = Position.ofToken(Buffer.from(BSON.serialize(invalidate._id as Document)))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
    for (const from of [position, position.byTime]) expect(ids((await take(source, from, 1)).events)).toEqual(['1'])
    await stream.close()
  })

  it('advances while nothing matches', async () => {
    await using lab = await openLab(inject('mongodbUri'), { awaitMs: 50 })
    const db = lab.client.db(freshDatabase('resume'))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.quiet`]))
    const from = await source.now(patience())
    await db.collection('other').insertOne({ a: 1 })
    const reached = await source.now(patience())
    const stop = new AbortController()
    for await (const batch of source.read(from, stop.signal)) {
      expect(batch.events).toEqual([])
      if (batch.position.clusterTime + 1n >= reached.clusterTime) stop.abort()
    }
    expect(stop.signal.aborted).toBe(true)
  })
})
