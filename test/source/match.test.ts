import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileMatcher, covers, narrowing, scopeOf } from '../../src/source/match.ts'

const db = fc.stringMatching(/^[a-z]{1,3}$/)
const collection = fc.stringMatching(/^[a-z.]{1,4}$/)

describe('matching collections', () => {
  it.each([
    [['shop.orders'], 'shop', 'orders', true],
    [['shop.orders'], 'shop', 'orders2', false],
    [['shop.a.b'], 'shop', 'a.b', true],
    [['shop.*'], 'shop', 'anything', true],
    [['shop.*'], 'shop2', 'anything', false],
    [['shop.*'], 'shop', 'system.views', false],
    [['/./'], 'shop', 'system.views', false],
    [['/^shop\\.(a|b)$/'], 'shop', 'b', true],
    [['/^shop\\.(a|b)$/'], 'shop', 'bb', false],
    [['/SHOP/ig'], 'shop', 'b', true],
    [['shop.a', 'other.b'], 'other', 'b', true],
    [['shop.a'], 'shop', '', true],
    [['/shop/'], 'shop', '', false],
  ])('%j and %s.%s: %s', (patterns, ofDb, ofCollection, expected) => {
    const matches = compileMatcher(patterns)
    expect([matches(ofDb, ofCollection), matches(ofDb, ofCollection)]).toEqual([expected, expected])
  })

  it.each(['shop', '.a', 'shop.', '/(/'])('refuses %s', pattern => {
    expect(() => compileMatcher([pattern])).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it.each([
    [['shop.orders'], undefined],
    [['shop.*'], undefined],
    [['shop.*', 'shop.orders'], undefined],
    [['/a/', 'shop.orders'], undefined],
    [['shop.a', 'shop.b'], { ns: { $in: [{ db: 'shop' }, { db: 'shop', coll: 'a' }, { db: 'shop', coll: 'b' }] } }],
    [['shop.*', 'other.*'], { 'ns.db': { $in: ['shop', 'other'] } }],
    [
      ['shop.*', 'other.a.b'],
      { $or: [{ 'ns.db': { $in: ['shop'] } }, { ns: { $in: [{ db: 'other' }, { db: 'other', coll: 'a.b' }] } }] },
    ],
  ])('is narrowed for %j by %j', (patterns, expected) => {
    expect(narrowing(patterns)).toEqual(expected)
  })

  it('has a scope that holds every collection that matches', () => {
    const pattern = fc.oneof(
      fc.tuple(db, collection).map(([d, c]) => `${d}.${c}`),
      db.map(d => `${d}.*`),
      fc.constant('/a/'),
    )
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), db, collection, (patterns, d, c) => {
        if (!compileMatcher(patterns)(d, c)) return
        expect(covers(scopeOf(patterns), { db: d, collection: c })).toBe(true)
      }),
    )
  })
})
