import { describe, expect, it } from 'vitest'
import { kindOf, Plan } from '../../src/source/plan.ts'
import { selection } from './lab.ts'

const a = selection('a', ['d.a'])
const b = selection('b', ['d.b'])
const far = selection('far', ['e.*'])

describe('what a stream is opened for', () => {
  it('is all that its readers want, once, however many slots they are', () => {
    const slots = Array.from({ length: 16 }, (_, index) => ({ ...a, slot: { index, count: 16 } }))
    const one = {
      scope: { db: 'd', collection: 'a' },
      images: { after: 'default', before: 'default' },
      filter: undefined,
    }
    expect(new Plan(slots).opening(false)).toEqual(one)
    expect(new Plan(slots).opening(true)).toEqual(one)
    const two = new Plan([a, b])
    expect(two.opening(false)).toMatchObject({ scope: { db: 'd', collection: undefined }, filter: undefined })
    expect(two.opening(true).filter).toEqual({
      ns: { $in: [{ db: 'd' }, { db: 'd', coll: 'a' }, { db: 'd', coll: 'b' }] },
    })
    expect([two.matches('d', 'a'), two.matches('d', 'c')]).toEqual([true, false])
  })

  it('covers what it brings already', () => {
    const images = { ...a, fullDocument: 'whenAvailable' } as const
    const before = { ...a, fullDocumentBeforeChange: 'auto' } as const
    const c = selection('c', ['d.c'])
    for (const [open, wanted, wide, narrow] of [
      [[a], a, true, true],
      [[a], b, false, false],
      [[a, b], a, true, true],
      [[a, b], c, true, false],
      [[a, b], far, false, false],
      [[a, far], c, true, false],
      [[a], images, false, false],
      [[a], before, false, false],
      [[images, before], { ...images, ...before, fullDocument: 'required' }, true, true],
      [[selection('all', ['d.*'])], c, true, false],
    ] as const) {
      const plan = new Plan(open)
      expect([plan.covers(wanted, false), plan.covers(wanted, true)]).toEqual([wide, narrow])
    }
  })

  it('can be less than what is open, where readers have left or MongoDB can leave some out', () => {
    expect(new Plan([a]).isLessThan(new Plan([a]))).toBe(false)
    expect(new Plan([a]).isLessThan(new Plan([a, b]))).toBe(true)
    expect(new Plan([a, b]).isLessThan(new Plan([a, b]))).toBe(true)
    expect(new Plan([selection('all', ['d.*'])]).isLessThan(new Plan([a, b]))).toBe(false)
  })

  it('has the filter that MongoDB evaluates, for the slots of one pipeline alone', () => {
    const filtered = { ...a, filter: { operationType: 'insert' }, fullDocument: 'updateLookup' } as const
    expect(new Plan([filtered]).opening(false)).toMatchObject({
      filter: filtered.filter,
      images: { after: 'updateLookup' },
    })
    expect(kindOf(filtered)).toBe(kindOf({ ...filtered, slot: { index: 1, count: 2 } }))
    const kinds = [
      a,
      filtered,
      { ...filtered, pipeline: 'b' },
      { ...filtered, filter: {} },
      { ...filtered, collections: ['d.b'] },
    ]
    expect(new Set(kinds.map(kindOf)).size).toBe(kinds.length)
    expect(kindOf(a)).toBe(kindOf(far))
  })
})
