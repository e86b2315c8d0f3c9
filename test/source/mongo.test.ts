import { once } from 'node:events'
import { connect } from 'node:net'
import { BSON } from 'mongodb'
import { describe, expect, inject, it } from 'vitest'
import { silentLogger } from '../../src/log.ts'
import { follow, freshDatabase, ids, inserted, openLab, patience, range, selection, streamsOpen, take } from './lab.ts'

/** An insert as OP_MSG by hand: no driver sends the bytes ff fe in a string. */
async function insertMalformed(uri: string, db: string): Promise<void> {
  const command = Buffer.from(BSON.serialize({ insert: 'c', documents: [{ _id: 1, s: '@@@@' }], $db: db }))
  command.fill(Buffer.of(0xff, 0xfe), command.indexOf('@@@@'), command.indexOf('@@@@') + 4)
  const header = Buffer.alloc(21)
  for (const [at, value] of [21 + command.length, 1, 0, 2013].entries()) header.writeInt32LE(value, at * 4)
  const socket = connect(Number(/:(\d+)/.exec(uri.slice('mongodb://'.length))?.[1]), '127.0.0.1')
  socket.write(Buffer.concat([header, command]))
  const [reply] = await once(socket, 'data')
  socket.destroy()
  expect(BSON.deserialize(reply.subarray(21))).toMatchObject({ n: 1, ok: 1 })
}

describe('the shared stream', () => {
  it('gives each pipeline its own collections: names, db.*, lists and regular expressions', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = freshDatabase('hub')
    const sources = [
      selection('name', [`${db}.orders`]),
      selection('all', [`${db}.*`]),
      selection('list', [`${db}.orders`, `${db}.notes`]),
      selection('regex', [`/^${db}\\.o/`]),
    ].map(one => lab.mongo.source(one))
    const from = await sources[0]!.now(patience())
    const reading = Promise.all([2, 6, 4, 4].map((count, i) => take(sources[i]!, from, count)))
    await inserted(lab, db, 'orders', 0, 2)
    await inserted(lab, db, 'notes', 10, 12)
    await inserted(lab, db, 'other', 20, 22)
    const got = (await reading).map(({ events }) => ids(events))
    expect(got).toEqual([
      range(0, 2),
      [...range(0, 2), ...range(10, 12), ...range(20, 22)],
      [...range(0, 2), ...range(10, 12)],
      [...range(0, 2), ...range(20, 22)],
    ])
  })

  it('is one, and starts at the earliest position; each pipeline drops what it has', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = freshDatabase('hub')
    const [early, late] = ['early', 'late'].map(name => lab.mongo.source(selection(name, [`${db}.*`])))
    const from = await early!.now(patience())
    await inserted(lab, db, 'c', 0, 10)
    const { events } = await take(early!, from, 10)
    const [a, b] = [follow(early!, from), follow(late!, events[6]!.position)]
    await inserted(lab, db, 'c', 10, 12)
    await expect.poll(() => [a.events.length, b.events.length], { timeout: 120_000 }).toEqual([12, 5])
    expect(await streamsOpen(lab, db)).toBe(1)
    expect([ids(a.events), ids(b.events)]).toEqual([range(0, 12), range(7, 12)])
    await Promise.all([a.stop(), b.stop()])
  })

  it('is joined again by a pipeline that was behind, without taking the others back', async () => {
    await using lab = await openLab(inject('mongodbUri'), { awaitMs: 100 })
    const db = freshDatabase('hub')
    const [steady, back] = ['steady', 'back'].map(name => lab.mongo.source(selection(name, [`${db}.*`])))
    const from = await steady!.now(patience())
    const a = follow(steady!, from)
    await inserted(lab, db, 'c', 0, 100)
    await expect.poll(() => a.events.length, { timeout: 120_000 }).toBe(100)
    const b = follow(back!, from)
    for (let i = 100; i < 200; i += 10) {
      await inserted(lab, db, 'c', i, i + 10)
      await expect.poll(() => b.events.length, { timeout: 120_000 }).toBe(i + 10)
    }
    await expect.poll(() => streamsOpen(lab, db), { timeout: 120_000 }).toBe(1)
    await expect.poll(() => a.events.length, { timeout: 120_000 }).toBe(200)
    expect([ids(a.events), ids(b.events)]).toEqual([range(0, 200), range(0, 200)])
    await Promise.all([a.stop(), b.stop()])
  })

  it('goes on when one pipeline fails or takes nothing', async () => {
    await using lab = await openLab(inject('mongodbUri'), { stallMs: 300, maxBatchEvents: 5 })
    const db = freshDatabase('hub')
    await lab.client.db(db).createCollection('c')
    const healthy = lab.mongo.source(selection('healthy', [`${db}.*`]))
    const strict = lab.mongo.source(selection('strict', [`${db}.c`], { fullDocument: 'required' }))
    const stuck = lab.mongo.source(selection('stuck', [`${db}.c`]))
    const from = await healthy.now(patience())
    const a = follow(healthy, from)
    const failing = expect(take(strict, from, 1_000)).rejects.toMatchObject({ code: 'SOURCE_IMAGE_MISSING' })
    const signal = patience()
    const slow = stuck.read(from, signal)[Symbol.asyncIterator]()
    await inserted(lab, db, 'c', 0, 1)
    const stuckIds: string[] = []
    while (stuckIds.length === 0) stuckIds.push(...ids((await slow.next()).value.events))
    await lab.client
      .db(db)
      .collection<{ _id: number }>('c')
      .updateOne({ _id: 0 }, { $set: { a: 1 } })
    await failing
    await inserted(lab, db, 'c', 1, 50)
    await expect.poll(() => a.events.length, { timeout: 120_000 }).toBe(51)
    while (stuckIds.length < 51) stuckIds.push(...ids((await slow.next()).value.events))
    expect(stuckIds).toEqual(ids(a.events))
    await slow.return?.()
    await a.stop()
  })

  it('leaves out what nobody wants while that is most of it; no change is lost or comes twice', async () => {
    const reaches: unknown[] = []
    // The token of an event that nobody wants is not of the narrow stream, which is then opened by time.
    const info = (fields: Readonly<Record<string, unknown>>) => {
      if ('narrow' in fields) reaches.push(fields.narrow)
    }
    const log = { ...silentLogger, info }
    const reach = { windowMs: 100, foreignPerSecond: 10, share: 0.5, narrowMs: 100, maxNarrowMs: 100 }
    await using lab = await openLab(inject('mongodbUri'), { log, reach, awaitMs: 20 })
    const db = freshDatabase('hub')
    const sources = ['a', 'b'].map(name => lab.mongo.source(selection(name, [`${db}.${name}`])))
    const from = await sources[0]!.now(patience())
    const [a, b] = sources.map(source => follow(source, from))
    let written = 0
    while (reaches.length < 6) {
      await inserted(lab, db, 'foreign', 10 * written, 10 * written + 10)
      for (const name of ['a', 'b']) await inserted(lab, db, name, written, written + 1)
      written++
    }
    expect(reaches.slice(0, 6)).toEqual([true, false, true, false, true, false])
    await lab.client.db(db).dropDatabase()
    await inserted(lab, db, 'a', written, written + 1)
    const [ofA, ofB] = [written + 3, written + 2] // The inserts, then the drop and the end of the database.
    await expect.poll(() => [a!.events.length, b!.events.length], { timeout: 120_000 }).toEqual([ofA, ofB])
    for (const [one, also] of [
      [a!, ['drop', 'dropDatabase', 'insert']],
      [b!, ['drop', 'dropDatabase']],
    ] as const) {
      expect(ids(one.events.slice(0, written))).toEqual(range(0, written))
      expect(one.events.slice(written).map(({ operation }) => operation)).toEqual(also)
    }
    await Promise.all([a!.stop(), b!.stop()])
  })

  it('is not used by a pipeline with a filter, which MongoDB evaluates', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = freshDatabase('hub')
    const filter = { operationType: 'insert', 'fullDocument._id': { $gte: 3 } }
    const source = lab.mongo.source(selection('p', [`${db}.c`], { filter }))
    const from = await source.now(patience())
    await inserted(lab, db, 'c', 0, 5)
    expect(ids((await take(source, from, 2)).events)).toEqual(['3', '4'])
    const wrong = lab.mongo.source(selection('p', [`${db}.c`], { filter: { $nonsense: 1 } }))
    await expect(take(wrong, from, 1)).rejects.toMatchObject({ name: 'Configuration', code: 'SOURCE_REJECTED' })
  })

  it('passes malformed UTF-8 through', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = freshDatabase('hub')
    const source = lab.mongo.source(selection('p', [`${db}.c`]))
    const from = await source.now(patience())
    await insertMalformed(inject('mongodbUri'), db)
    const { events } = await take(source, from, 1)
    const { bytes, start, end } = events[0]!.after!
    expect(bytes.subarray(start, end).includes(Buffer.of(0xff, 0xfe))).toBe(true)
  })
})
