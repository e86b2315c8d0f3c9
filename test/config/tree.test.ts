import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deepFreeze, getOwn, isTree, merge } from '../../src/config/tree.ts'

const trees = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), fc.jsonValue({ maxDepth: 3 }))

test('over wins where both have a value, under stays elsewhere', () => {
  fc.assert(
    fc.property(trees, trees, (under, over) => {
      const merged = merge(under, over)
      for (const key of new Set([...Object.keys(under), ...Object.keys(over)])) {
        const [low, high] = [getOwn(under, key), getOwn(over, key)]
        const expected = !Object.hasOwn(over, key) ? low : isTree(low) && isTree(high) ? merge(low, high) : high
        expect(getOwn(merged, key)).toEqual(expected)
      }
    }),
  )
})

test('merging with nothing, with itself, or in another grouping changes nothing', () => {
  fc.assert(
    fc.property(trees, trees, trees, (a, b, c) => {
      expect(merge(a, {})).toEqual(a)
      expect(merge({}, a)).toEqual(a)
      expect(merge(a, a)).toEqual(a)
      if (isTree(b))
        expect(Object.keys(merge(a, merge(b, c)) as object)).toEqual(Object.keys(merge(merge(a, b), c) as object))
    }),
  )
})

test('neither side is changed or shared', () => {
  const [under, over] = [deepFreeze({ a: { b: [1] } }), deepFreeze({ a: { c: [2] } })]
  const merged = merge(under, over) as { a: { b: number[]; c: number[] } }
  merged.a.b.push(3)
  merged.a.c.push(4)
  expect([under, over]).toEqual([{ a: { b: [1] } }, { a: { c: [2] } }])
  expect(Object.getPrototypeOf(merge({}, JSON.parse('{"__proto__": {"polluted": 1}}')))).toBe(Object.prototype)
})
