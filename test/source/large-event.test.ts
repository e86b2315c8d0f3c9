import { MongoServerError } from 'mongodb'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { ChangeEvent } from '../../src/event.ts'
import type { Position } from '../../src/position.ts'
import { largeEventOf } from '../../src/source/large-event.ts'
import type { Selection } from '../../src/source/source.ts'
import { decode, follow, freshDatabase, ids, type Lab, openLab, patience, selection, take } from './lab.ts'

const images = { fullDocument: 'whenAvailable', fullDocumentBeforeChange: 'whenAvailable' } as const
/** An event with both images of a document that has this is larger than 16 MB. */
const pad = 'x'.repeat((8 << 20) + 100_000)

interface Padded {
  _id: number
  n: number
  pad?: string
}

const word = ({ operation, poison, after }: ChangeEvent) => `${operation} ${poison?.code ?? decode(after)?.n}`
const large = 'update SOURCE_EVENT_TOO_LARGE'
const all = ['insert 0', 'insert 0', large, 'update 1', large, 'update 2', 'insert 0']

describe('an event that MongoDB cannot send whole', () => {
  const name = freshDatabase('large')
  const wanted = [`${name}.c`]
  let lab: Lab
  let from: Position

  /** A collection that keeps images, with changes of document 1 that MongoDB cannot send between others of 2 and 3. */
  beforeAll(async () => {
    lab = await openLab(inject('mongodbUri'))
    const db = lab.client.db(name)
    const c = await db.createCollection<Padded>('c', { changeStreamPreAndPostImages: { enabled: true } })
    from = await lab.mongo.source(selection('p', wanted)).now(patience())
    await c.insertOne({ _id: 1, n: 0, pad })
    await c.insertOne({ _id: 2, n: 0 })
    for (const n of [1, 2]) {
      await c.updateOne({ _id: 1 }, { $set: { n } })
      await c.updateOne({ _id: 2 }, { $set: { n } })
    }
    await c.insertOne({ _id: 3, n: 0 })
  })
  afterAll(async () => {
    await lab.client.db(name).dropDatabase()
    await lab[Symbol.asyncDispose]()
  })

  it.each([
    ['with the images', {}],
    ['with a filter of its own', { filter: { operationType: { $in: ['insert', 'update'] } } }],
  ] as const)('comes in its place without its documents, %s, and everything else whole', async (_, rest) => {
    const source = lab.mongo.source(selection('p', wanted, { ...images, ...rest }))
    const { events } = await take(source, from, all.length)
    expect(events.map(word)).toEqual(all)
    expect(ids(events)).toEqual(['1', '2', '1', '2', '1', '2', '3'])
    const [, , first] = events
    expect(first).toMatchObject({ db: name, collection: 'c', after: undefined, before: undefined, label: 'none' })
    expect(first!.poison!.message).toContain(`update of ${name}.c at ${first!.position}`)
    expect(first!.poison!.message).not.toContain('_data')
    expect(first!.timestampMs).toBeGreaterThan(1_600_000_000_000)
  })

  it('can be resumed after, and before', async () => {
    const source = () => lab.mongo.source(selection('p', wanted, images))
    const { events } = await take(source(), from, 3)
    const [, before, first] = events
    const behind = await take(source(), first!.position, 1)
    expect(word(behind.events[0]!)).toBe(all[3])
    const again = await take(source(), before!.position, 2)
    expect(again.events.slice(0, 2).map(word)).toEqual(all.slice(2, 4))
  })

  it('is whole for a pipeline that wants no images, though both had one stream', async () => {
    const of = (pipeline: string, rest: Partial<Selection>) => lab.mongo.source(selection(pipeline, wanted, rest))
    // Both are there before any of it is read.
    const [slim, whole] = [follow(of('slim', images), from), follow(of('whole', {}), from)]
    const lengths = () => [slim.events.length, whole.events.length]
    await expect.poll(lengths, { timeout: 240_000 }).toEqual([all.length, all.length])
    await Promise.all([slim.stop(), whole.stop()])
    expect(whole.events.map(({ poison }) => poison)).toEqual(all.map(() => undefined))
    expect(slim.events.map(({ poison }) => poison?.code ?? '-').join(' ')).toMatch(/^- - S\w+ - S\w+ - -$/)
  })
})

describe('the message of code 10334', () => {
  const said = (message: string, code = 10334) => largeEventOf(new MongoServerError({ message, code }))
  const _data = '8265A0BC000000000A2B022C0100296E5A1004'
  const text = `BSONObj size: 18875000 (0x1200278) is invalid. Size must be between 0 and 16793600(16MB) First element: _id: { _data: "${_data}" }`

  it('names the event by its token, with or without type bits', () => {
    expect(said(text)).toMatchObject({ data: _data, position: { clusterTime: 0x65a0bc000000000an } })
    const bits = text.replace('" }', '", _typeBits: BinData(0, 82) }')
    expect(said(`Executor error during getMore :: caused by :: ${bits}`)?.data).toBe(_data)
  })

  it('names none where it is cut off, is about something else, or the error is another', () => {
    expect(said(text.slice(0, text.indexOf(_data) + 20))).toBeUndefined()
    expect(said(text.replace('_id: {', 'x: {'))).toBeUndefined()
    expect(said(text.replace(_data, '00'))).toBeUndefined()
    expect(said(text, 286)).toBeUndefined()
    expect(largeEventOf(new Error(text))).toBeUndefined()
  })
})
