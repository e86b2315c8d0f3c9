import { BSON } from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Position } from '../../src/position.ts'
import { Dealer, partOf } from '../../src/source/deal.ts'
import { EnvelopeReader } from '../../src/source/envelope.ts'
import type { RawEvent } from '../../src/source/raw-event.ts'
import type { RawBatch } from '../../src/source/reader.ts'

const envelopes = new EnvelopeReader()

/** The event at cluster time `time`, in collection `c` of db `d`. */
function eventAt(time: number, collection: string, operationType = 'insert'): RawEvent {
  const _id = { _data: `82${time.toString(16).padStart(16, '0')}2B022C0100296E04` }
  const bytes = Buffer.from(BSON.serialize({ _id, operationType, ns: { db: 'd', coll: collection } }))
  return envelopes.read(bytes, 0, bytes.length)
}

function batchOf(events: readonly RawEvent[], end: number): RawBatch {
  return { events, position: Position.ofTime(BigInt(end)), bytes: 0, more: false }
}

const name = fc.constantFrom('a', 'b', 'c')
const place = fc.record({ wanted: fc.uniqueArray(name), seen: fc.nat(30) })

describe('dealing a batch out', () => {
  it('gives every pipeline what it wants and does not have, in order', () => {
    const operation = fc.constantFrom('insert', 'insert', 'invalidate')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, operation)), fc.array(place), (changes, all) => {
        const events = changes.map(([collection, type], i) => eventAt(i + 1, collection, type))
        const batch = batchOf(events, changes.length + 1)
        const places = all.map(({ wanted, seen }) => ({
          matches: (_: string, collection: string) => wanted.some(one => one === collection),
          position: seen === 0 ? Position.ofTime(0n) : eventAt(seen, 'x').position,
          expected: events.filter(
            ({ collection, operation }, i) =>
              operation !== 'invalidate' && wanted.some(one => one === collection) && i + 1 > seen,
          ),
        }))
        const parts = new Dealer(new Set(places)).deal(batch)
        for (const place of places) {
          const own = partOf(batch, place.matches, place.position)
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
    const one = { matches: () => true, position: Position.ofTime(0n) }
    const places = new Set([one])
    const dealer = new Dealer(places)
    const batch = batchOf([eventAt(1, 'a')], 2)
    expect([...dealer.deal(batch).keys()]).toEqual([one])
    const other = { ...one }
    places.add(other)
    places.delete(one)
    dealer.forget()
    expect([...dealer.deal(batch).keys()]).toEqual([other])
  })
})
