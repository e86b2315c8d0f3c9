import { BSON, Long, ObjectId, Timestamp } from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EnvelopeReader } from '../../src/source/envelope.ts'
import { endOf, parseReply } from '../../src/source/reply.ts'

const token = (ct: string) => ({ _data: `82${ct}2B0229296E04` })
const document = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.constant(null)))
const event = fc.record({
  _id: fc.constant(token('6B01AD6400000002')),
  operationType: fc.constantFrom('insert', 'update', 'delete', 'replace'),
  clusterTime: fc.nat(2 ** 31 - 1).map(t => new Timestamp({ t, i: 1 })),
  wallTime: fc.option(fc.date({ noInvalidDate: true }), { nil: undefined }),
  fullDocument: fc.option(document, { nil: null }),
  fullDocumentBeforeChange: fc.option(document, { nil: undefined }),
  ns: fc.record({ db: fc.string({ minLength: 1 }), coll: fc.string({ minLength: 1 }) }),
  documentKey: fc.record({ shard: fc.string(), _id: fc.oneof(fc.string(), fc.integer(), fc.constant(new ObjectId())) }),
})
const decode = (span: { bytes: Buffer; start: number; end: number } | undefined) =>
  span && BSON.deserialize(span.bytes.subarray(span.start, span.end))
const through = (value: BSON.Document) => BSON.deserialize(BSON.serialize(value))

describe('a raw reply', () => {
  const envelopes = new EnvelopeReader()

  it('is found in place: cursor, events and their parts', () => {
    const name = fc.constantFrom('firstBatch', 'nextBatch')
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), name, fc.array(event), (id, batch, events) => {
        const reply = { [batch]: events, postBatchResumeToken: token('00000000FFFFFFFF'), id: Long.fromBigInt(id) }
        const bytes = Buffer.from(BSON.serialize(reply, { ignoreUndefined: true }))
        const parsed = parseReply(bytes)
        expect(parsed.cursorId).toBe(id)
        expect(BSON.deserialize(parsed.postBatchToken!)).toEqual(token('00000000FFFFFFFF'))
        expect(parsed.eventStarts).toHaveLength(events.length)
        for (const [at, start] of parsed.eventStarts.entries()) {
          const expected = events[at]!
          const got = envelopes.read(bytes, start, endOf(bytes, start))
          expect(got.operation).toBe(expected.operationType)
          expect([got.db, got.collection]).toEqual([expected.ns.db, expected.ns.coll])
          expect(decode(got.documentKey)).toEqual(through(expected.documentKey))
          expect(decode(got.after)).toEqual(expected.fullDocument ? through(expected.fullDocument) : undefined)
          const before = expected.fullDocumentBeforeChange
          expect(decode(got.before)).toEqual(before ? through(before) : undefined)
          expect(got.label).toBe(
            expected.fullDocument || (expected.operationType === 'delete' && before) ? 'exact' : 'none',
          )
          expect(decode(got.token)).toEqual(expected._id)
          const id = got.id!
          const value = Buffer.from(BSON.serialize({ _id: expected.documentKey._id }))
          expect(id.bytes.subarray(id.start, id.end).equals(value.subarray(9, -1))).toBe(true)
          expect(got.timestampMs).toBe(expected.wallTime?.getTime() ?? expected.clusterTime.t * 1000)
          expect(got.position.clusterTime).toBe(0x6b01ad6400000002n)
          expect(got.raw.bytes.buffer).toBe(bytes.buffer)
        }
      }),
    )
  })

  it('that is cut or damaged is a RangeError, never something else', () => {
    const whole = BSON.serialize({ nextBatch: [{ _id: token('6B01AD6400000002'), operationType: 'insert' }], id: 7n })
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, end) => {
        const bytes = Buffer.from(whole.subarray(0, end))
        if (at < end) bytes[at] = byte
        try {
          const { eventStarts } = parseReply(bytes)
          for (const start of eventStarts) envelopes.read(bytes, start, endOf(bytes, start))
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })

  it('gives events of one namespace the same object, and their names decoded', () => {
    const bytes = Buffer.from(
      BSON.serialize({ _id: token('6B01AD6400000002'), operationType: 'insert', ns: { db: 'd', coll: 'c' } }),
    )
    const other = Buffer.from(
      BSON.serialize({ _id: token('6B01AD6400000002'), operationType: 'drop', ns: { db: 'd' } }),
    )
    const [one, between, again] = [bytes, other, bytes].map(event => envelopes.read(event, 0, event.length))
    expect(one!.namespace).toBe(again!.namespace)
    expect(one!.namespace).toEqual({ db: 'd', collection: 'c' })
    expect(between!.namespace).toEqual({ db: 'd', collection: '' })
  })

  it('with an event without resume token is refused', () => {
    const bytes = Buffer.from(BSON.serialize({ operationType: 'insert' }))
    expect(() => envelopes.read(bytes, 0, bytes.length)).toThrow(RangeError)
  })
})
