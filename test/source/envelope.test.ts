import { BSON, Timestamp } from 'bson'
import { describe, expect, it } from 'vitest'
import { EnvelopeReader } from '../../src/source/envelope.ts'
import { imagedEvents, needsLookup } from '../../src/source/images.ts'
import { selection } from './lab.ts'

const whole = {
  _id: { _data: '8265A0BC000000000A2B022C0100296E5A1004' },
  operationType: 'update',
  clusterTime: new Timestamp({ t: 0x65a0bc00, i: 10 }),
  ns: { db: 'shop', coll: 'orders' },
  documentKey: { _id: 7 },
  updateDescription: { removedFields: [] },
}

/** `event` with a byte of a type that BSON has not in place of that of its field `name`. */
function broken(event: BSON.Document, name: string): Buffer {
  const bytes = Buffer.from(BSON.serialize(event))
  bytes[bytes.indexOf(`${name}\0`) - 1] = 0x20
  return bytes
}

const read = (bytes: Buffer) => new EnvelopeReader().read(bytes, 0, bytes.length)

describe('an event that cannot be read to its end', () => {
  it('is told by its place and namespace where it can be, and so is one pipeline’s affair', () => {
    const event = read(broken(whole, 'updateDescription'))
    expect(event).toMatchObject({ operation: 'update', db: 'shop', collection: 'orders' })
    expect(event.poison).toMatchObject({ name: 'PoisonEvent', code: 'EVENT_UNREADABLE', reason: 'poison' })
    expect(event.poison!.message).toMatch(/^update of shop\.orders at 2024-.*malformed BSON at byte \d+: unknown type/)
    expect(event.position.clusterTime).toBe(0x65a0bc000000000an)
    expect(BSON.deserialize(event.raw.bytes.subarray(event.keyStart, event.keyEnd))).toEqual({ _id: 7 })
  })

  it('is so too where it does not say what happened', () => {
    const { operationType: _, ...rest } = whole
    expect(read(Buffer.from(BSON.serialize(rest)))).toMatchObject({
      operation: 'unknown',
      poison: { code: 'EVENT_UNREADABLE' },
    })
  })

  it.each(['operationType', 'ns'])('is nobody’s where it breaks off at %s, before its namespace is known', name => {
    expect(() => read(broken(whole, name))).toThrow(RangeError)
  })

  it('is nobody’s where its token is none', () => {
    expect(() => read(broken({ ...whole, _id: { _data: '00' } }, 'updateDescription'))).toThrow(RangeError)
  })

  it('leaves nothing behind for the next event', () => {
    const envelopes = new EnvelopeReader()
    const first = broken(whole, 'updateDescription')
    envelopes.read(first, 0, first.length)
    const second = Buffer.from(BSON.serialize({ ...whole, ns: { db: 'other', coll: 'c' } }))
    expect(envelopes.read(second, 0, second.length)).toMatchObject({ db: 'other', poison: undefined })
    const third = broken(whole, 'operationType')
    expect(() => envelopes.read(third, 0, third.length)).toThrow(RangeError)
  })

  it('is not looked up, and lacks no image that is required', () => {
    const event = read(broken(whole, 'updateDescription'))
    expect(needsLookup(event, selection('p', ['shop.orders'], { fullDocument: 'updateLookup' }))).toBe(false)
    const required = selection('p', ['shop.orders'], { fullDocument: 'required', fullDocumentBeforeChange: 'required' })
    expect(imagedEvents([event], { start: 0, end: 1, wanted: [] }, required)).toEqual([event])
  })
})
