import { BSON } from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { murmur2 } from '../../src/bson/murmur2.ts'
import { Position } from '../../src/position.ts'
import { Dealer, partOf } from '../../src/source/deal.ts'
import { EnvelopeReader } from '../../src/source/envelope.ts'
import type { RawEvent } from '../../src/source/raw-event.ts'
import type { RawBatch } from '../../src/source/reader.ts'
import type { Slot } from '../../src/source/source.ts'

const envelopes = new EnvelopeReader()

/** The event at cluster time `time`, in collection `c` of db `d`; a drop has no document. */
function eventAt(time: number, collection: string, operationType = 'insert'): RawEvent {
  const _id = { _data: `82${time.toString(16).padStart(16, '0')}2B022C0100296E04` }
  const key = operationType === 'drop' ? {} : { documentKey: { _id: time } }
  const bytes = Buffer.from(BSON.serialize({ _id, operationType, ns: { db: 'd', coll: collection }, ...key }))
  return envelopes.read(bytes, 0, bytes.length)
}

/** As slots are defined: murmur2 over the bytes of the canonical key, which for a small integer are its digits. */
function slotAt(time: number, operation: string, count: number): number {
  return operation === 'drop' ? 0 : (murmur2(Buffer.from(String(time))) & 0x7fffffff) % count
}

function batchOf(events: readonly RawEvent[], end: number): RawBatch {
  const bytes = events.reduce((sum, event) => sum + event.end - event.start, 0)
  return { events, position: Position.ofTime(BigInt(end)), bytes, more: false }
}

const name = fc.constantFrom('a', 'b', 'c')
const slot = fc
  .constantFrom(1, 1, 3, 16)
  .chain(count => fc.record({ index: fc.nat(count - 1), count: fc.constant(count) }))
const place = fc.record({ wanted: fc.uniqueArray(name), seen: fc.nat(30), slot })
const one: Slot = { index: 0, count: 1 }

describe('dealing a batch out', () => {
  it('gives every pipeline what it wants and does not have, in order', () => {
    const operation = fc.constantFrom('insert', 'insert', 'insert', 'drop', 'invalidate')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, operation)), fc.array(place), (changes, all) => {
        const events = changes.map(([collection, type], i) => eventAt(i + 1, collection, type))
        const batch = batchOf(events, changes.length + 1)
        const places = all.map(({ wanted, seen, slot }) => ({
          slot,
          matches: (_: string, collection: string) => wanted.some(one => one === collection),
          position: seen === 0 ? Position.ofTime(0n) : eventAt(seen, 'x').position,
          expected: events.filter(
            ({ collection, operation }, i) =>
              operation !== 'invalidate' &&
              wanted.some(one => one === collection) &&
              slotAt(i + 1, operation, slot.count) === slot.index &&
              i + 1 > seen,
          ),
        }))
        const parts = new Dealer(new Set(places)).deal(batch)
        for (const place of places) {
          const own = partOf(batch, place)
          expect(own.events).toEqual(place.expected)
          expect(parts.get(place)?.finish() ?? { ...own, events: [] }).toEqual(own)
          expect(own.bytes).toBe(place.expected.reduce((sum, { raw }) => sum + raw.end - raw.start, 0))
          expect(own.position.compare(batch.position)).toBeGreaterThanOrEqual(0)
          expect(own.position.compare(place.position)).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  it('knows who has come and gone once it is told to forget', () => {
    const place = { matches: () => true, slot: one, position: Position.ofTime(0n) }
    const places = new Set([place])
    const dealer = new Dealer(places)
    const batch = batchOf([eventAt(1, 'a')], 2)
    expect([...dealer.deal(batch).keys()]).toEqual([place])
    const other = { ...place }
    places.add(other)
    places.delete(place)
    dealer.forget()
    expect([...dealer.deal(batch).keys()]).toEqual([other])
  })

  it('deals every event to exactly one of all slots', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('insert', 'update', 'drop'), { maxLength: 50 }),
        fc.integer({ min: 1, max: 20 }),
        (types, count) => {
          const events = types.map((type, i) => eventAt(i + 1, 'a', type))
          const batch = batchOf(events, types.length + 1)
          const places = Array.from({ length: count }, (_, index) => {
            return { matches: () => true, slot: { index, count }, position: Position.ofTime(0n) }
          })
          const parts = new Dealer(new Set(places)).deal(batch)
          const dealt = places.flatMap(place => parts.get(place)?.finish().events ?? [])
          expect(dealt.toSorted((a, b) => a.position.compare(b.position))).toEqual(events)
        },
      ),
    )
  })
})
