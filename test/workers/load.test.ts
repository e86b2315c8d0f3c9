import { Binary, Decimal128, Int32, Long, ObjectId, serialize } from 'bson'
import { describe, expect, it } from 'vitest'
import { slotOf } from '../../src/bson/slot.ts'
import { assign, type Candidate } from '../../src/workers/assignment.ts'
import { seeded } from '../simulation/schedule.ts'

const slots = 16
/** What is promised: so far may the load of two workers lie apart, as a share of the mean. */
const mostApart = 0.2

/** Ids as they are in the field: most count upwards in some way, and differ in few bits. */
const kinds: Readonly<Record<string, (i: number) => unknown>> = {
  // As a driver makes them: seconds, a process's own five bytes, a counter.
  objectId: i => new ObjectId(`66f0${hex(Math.floor(i / 7), 4)}8d1c2e3f4a${hex(i, 6)}`),
  int: i => new Int32(i),
  longInSteps: i => Long.fromNumber(1_700_000_000_000 + 1_000 * i),
  half: i => i / 2 + 0.25,
  decimal: i => Decimal128.fromString(`${i}.90`),
  text: i => `customer-${i}`,
  uuid: i => new Binary(Buffer.from(hex(i * 2_654_435_761, 32), 'hex'), Binary.SUBTYPE_UUID),
  date: i => new Date(1_700_000_000_000 + 60_000 * i),
  document: i => ({ region: ['eu', 'us', 'ap'][i % 3], number: i }),
}

function hex(value: number, digits: number): string {
  return BigInt(value).toString(16).padStart(digits, '0').slice(-digits)
}

/** Shares of the collections in all documents, in the order of `kinds`, turned so that each is the large one once. */
const shares = [0.9, 0.05, 0.02, 0.01, 0.01, 0.004, 0.003, 0.002, 0.001]
const documents = 40_000

/** The changes of each slot, where the collections are of these sizes. */
function changesBySlot(sizes: ReadonlyMap<string, number>, changesOf: (i: number) => number): number[] {
  const changes = new Array<number>(slots).fill(0)
  for (const [kind, size] of sizes) {
    for (let i = 0; i < size; i += 1) {
      const key = Buffer.from(serialize({ _id: kinds[kind]!(i) }))
      changes[slotOf(key, 0, key.length, slots)]! += changesOf(i)
    }
  }
  return changes
}

function sizesWith(large: number): Map<string, number> {
  const names = Object.keys(kinds)
  return new Map(names.map((_, i) => [names[(large + i) % names.length]!, Math.round(documents * shares[i]!)]))
}

/** Changes by worker, once `count` of them have come, one after the other, and slots moved as they do. */
function loads(bySlot: readonly number[], count: number): number[] {
  let members: Candidate[] = []
  for (let i = 0; i < count; i += 1) {
    members.push({ memberId: `m${i}`, name: `pod-${i}`, owned: [], releasing: [], generation: i, leaving: false })
    const { wanted } = assign(slots, members, new Map())
    members = members.map(member => ({ ...member, owned: wanted.get(member.memberId) ?? [], generation: i }))
  }
  return members.map(({ owned }) => owned.reduce((sum, slot) => sum + bySlot[slot]!, 0))
}

/** How far the largest and the smallest lie apart, as a share of the mean. */
function apart(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return (Math.max(...values) - Math.min(...values)) / mean
}

describe('the load over workers, with 16 slots', () => {
  it.each(Object.keys(kinds).map((kind, at) => [kind, at] as const))(
    'is even though 90 of 100 documents are in one collection, with ids of kind %s',
    (_, at) => {
      const bySlot = changesBySlot(sizesWith(at), () => 1)
      expect(bySlot.reduce((a, b) => a + b, 0)).toBeCloseTo(documents, -3)
      for (const workers of [1, 2, 4, 8, 16]) {
        expect({ workers, apart: apart(loads(bySlot, workers)) }).toEqual({ workers, apart: expect.toSatisfy(small) })
      }
    },
  )

  it('is even though few documents have most of the changes, as long as they are some hundreds', () => {
    const random = seeded(5)
    // One in twenty is changed forty times as often, which is two thirds of all changes.
    const changesOf = () => (random() < 0.05 ? 40 : 1)
    const bySlot = changesBySlot(sizesWith(0), changesOf)
    for (const workers of [2, 4, 8]) {
      expect({ workers, apart: apart(loads(bySlot, workers)) }).toEqual({ workers, apart: expect.toSatisfy(small) })
    }
  })

  it('differs by a slot where the workers do not divide 16: that is arithmetic, and says how many slots to order', () => {
    const bySlot = changesBySlot(sizesWith(0), () => 1)
    for (const workers of [3, 5, 6, 7, 12]) {
      const least = Math.floor(slots / workers)
      const bySlots = workers / slots // One slot more, as a share of the mean.
      const found = apart(loads(bySlot, workers))
      expect(found).toBeGreaterThan(bySlots - mostApart / least)
      expect(found).toBeLessThan(bySlots + mostApart / least)
    }
  })
})

function small(value: number): boolean {
  return value <= mostApart
}
