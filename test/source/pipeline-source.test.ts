import { BSON } from 'mongodb'
import { describe, expect, inject, it } from 'vitest'
import { slotOf } from '../../src/bson/slot.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { Position } from '../../src/position.ts'
import {
  follow,
  freshDatabase,
  ids,
  inserted,
  type Lab,
  openLab,
  patience,
  range,
  selection,
  streamsOpen,
  take,
} from './lab.ts'

const count = 4
const slotOfEvent = ({ documentKey }: ChangeEvent) =>
  documentKey ? slotOf(documentKey.bytes, documentKey.start, documentKey.end, count) : 0
const slotOfId = (_id: number) => {
  const key = Buffer.from(BSON.serialize({ _id }))
  return slotOf(key, 0, key.length, count)
}

const slotsOf = (lab: Lab, db: string, rest = {}) =>
  Array.from({ length: count }, (_, index) =>
    lab.mongo.source(selection('p', [`${db}.c`], { slot: { index, count }, ...rest })),
  )

describe('the slots of a pipeline', () => {
  it.each([
    ['with the shared stream', {}],
    ['with a filter of its own', { filter: { operationType: { $ne: 'update' } } }],
  ])('have every change once, in order, on one stream, %s', async (_name, rest) => {
    await using lab = await openLab(inject('mongodbUri'), { awaitMs: 100 })
    const db = freshDatabase('slots')
    const sources = slotsOf(lab, db, rest)
    const from = await sources[0]!.now(patience())
    const readers = sources.map(source => follow(source, from))
    await inserted(lab, db, 'c', 0, 200)
    const c = lab.client.db(db).collection<{ _id: number }>('c')
    await c.updateMany({}, { $set: { a: 1 } })
    await c.deleteMany({ _id: { $gte: 100 } })
    const wanted = 'filter' in rest ? 300 : 500
    const total = () => readers.reduce((sum, { events }) => sum + events.length, 0)
    await expect.poll(total, { timeout: 120_000 }).toBe(wanted)
    await expect.poll(() => streamsOpen(lab, db), { timeout: 120_000 }).toBe(1)
    await c.drop()
    await expect.poll(() => readers[0]!.events.at(-1)?.operation, { timeout: 120_000 }).toBe('drop')
    expect(total()).toBe(wanted + 1)
    for (const [index, { events }] of readers.entries()) {
      expect(new Set(events.map(slotOfEvent))).toEqual(new Set([index]))
      expect(events.length).toBeGreaterThan(wanted / 8)
      expect(events.map(({ position }) => position)).toEqual(
        events.map(({ position }) => position).toSorted((a, b) => a.compare(b)),
      )
    }
    await Promise.all(readers.map(reader => reader.stop()))
  })

  it('are handed over while the stream runs, without a second one, loss or repetition', async () => {
    await using lab = await openLab(inject('mongodbUri'), { awaitMs: 100 })
    await using other = await openLab(inject('mongodbUri'), { awaitMs: 100 })
    const db = freshDatabase('slots')
    const here = slotsOf(lab, db)
    const there = slotsOf(other, db)
    const from = await here[0]!.now(patience())
    const own = [0, 1].map(slot => follow(here[slot]!, from))
    const left = [2, 3].map(slot => follow(there[slot]!, from))
    await inserted(lab, db, 'c', 0, 100)
    const events = () => [...own, ...left].reduce((sum, reader) => sum + reader.events.length, 0)
    await expect.poll(events, { timeout: 120_000 }).toBe(100)
    await Promise.all(left.map(reader => reader.stop()))
    await inserted(lab, db, 'c', 100, 200) // The two that stay are past this when the others are taken over.
    const seen = () => own.every(({ events }) => events.some(event => Number(ids([event])[0]) > 180))
    await expect.poll(seen, { timeout: 120_000 }).toBe(true)
    const taken = [2, 3].map((slot, i) => follow(here[slot]!, left[i]!.position))
    await inserted(lab, db, 'c', 200, 300)
    const all = () => [...own, ...left, ...taken].reduce((sum, reader) => sum + reader.events.length, 0)
    await expect.poll(all, { timeout: 120_000 }).toBe(300)
    // MongoDB is told that the cursor before the rewind is done with, but nobody waits for that.
    await expect.poll(() => streamsOpen(lab, db), { timeout: 120_000 }).toBe(1)
    for (const [slot, readers] of [[own[0]!], [own[1]!], [left[0]!, taken[0]!], [left[1]!, taken[1]!]].entries()) {
      const mine = range(0, 300).filter(id => slotOfId(Number(id)) === slot)
      expect(readers.flatMap(({ events }) => ids(events))).toEqual(mine)
    }
    await Promise.all([...own, ...taken].map(reader => reader.stop()))
  })
})

describe('pipelines that come later', () => {
  it('widen the stream that runs; those that go leave no trace', async () => {
    await using lab = await openLab(inject('mongodbUri'), { awaitMs: 100 })
    const [db, far] = [freshDatabase('reload'), freshDatabase('reload')]
    const first = lab.mongo.source(selection('first', [`${db}.a`]))
    const from = await first.now(patience())
    const a = follow(first, from)
    await inserted(lab, db, 'a', 0, 10)
    await expect.poll(() => a.events.length, { timeout: 120_000 }).toBe(10)
    // Another collection, another database, and images that the open stream does not ask for.
    const later = [
      selection('other', [`${db}.b`]),
      selection('far', [`${far}.*`]),
      selection('images', [`${db}.a`], { fullDocumentBeforeChange: 'whenAvailable' }),
    ].map(one => follow(lab.mongo.source(one), a.position))
    await inserted(lab, db, 'a', 10, 20)
    await inserted(lab, db, 'b', 20, 30)
    await inserted(lab, far, 'c', 30, 40)
    const lengths = () => [a, ...later].map(({ events }) => events.length)
    await expect.poll(lengths, { timeout: 120_000 }).toEqual([20, 10, 10, 10])
    expect([a, ...later].map(({ events }) => ids(events))).toEqual([
      range(0, 20),
      range(20, 30),
      range(30, 40),
      range(10, 20),
    ])
    await Promise.all([a, ...later].map(reader => reader.stop()))
    // Stopped: the next one alone decides how wide its stream is.
    const again = follow(lab.mongo.source(selection('first', [`${db}.a`])), a.position)
    await expect.poll(() => streamsOpen(lab, `${db}.a`), { timeout: 120_000 }).toBe(1)
    await again.stop()
  })

  it('are refused a position from the future, though the stream runs', async () => {
    await using lab = await openLab(inject('mongodbUri'), { awaitMs: 100 })
    const db = freshDatabase('reload')
    const source = lab.mongo.source(selection('steady', [`${db}.c`]))
    const now = await source.now(patience())
    const steady = follow(source, now)
    const future = Position.ofTime(now.clusterTime + (30n << 32n))
    const restored = lab.mongo.source(selection('restored', [`${db}.c`]))
    await expect(take(restored, future, 1)).rejects.toMatchObject({ code: 'SOURCE_FROM_FUTURE' })
    await inserted(lab, db, 'c', 0, 1)
    await expect.poll(() => steady.events.length, { timeout: 120_000 }).toBe(1)
    await steady.stop()
  })
})
