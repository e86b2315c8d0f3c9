import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UnderWay } from '../src/under-way.ts'

type Step = { readonly do: 'begin' | 'end'; readonly item: number } | { readonly do: 'endAll' }

const item = fc.integer({ min: 0, max: 9 })
const step = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: fc.constantFrom('begin', 'end'), item }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('endAll') }) },
) as fc.Arbitrary<Step>

test('is a set in the order of the beginnings', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const underWay = new UnderWay<number>()
      const model = new Set<number>()
      for (const each of steps) {
        if (each.do === 'endAll') {
          expect(underWay.endAll()).toEqual([...model])
          model.clear()
        } else if (each.do === 'end') expect(underWay.end(each.item)).toBe(model.delete(each.item))
        else if (!model.has(each.item)) {
          underWay.begin(each.item)
          model.add(each.item)
        }
        expect([...underWay]).toEqual([...model])
        expect([underWay.size, underWay.first]).toEqual([model.size, model.values().next().value])
        for (let item = 0; item <= 9; item++) expect(underWay.has(item)).toBe(model.has(item))
      }
    }),
  )
})
