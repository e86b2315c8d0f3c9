import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FairRing } from '../../../../src/sink/kafka/producer/fair-ring.ts'

const ownerOf = (item: string) => item.slice(0, 1)

function ringOf(...items: string[]): FairRing<string, string> {
  const ring = new FairRing<string, string>()
  for (const item of items) ring.add(ownerOf(item), item)
  return ring
}

function drain(ring: FairRing<string, string>): (string | undefined)[] {
  const taken: (string | undefined)[] = []
  while (!ring.isEmpty) {
    const { first } = ring
    taken.push(ring.take())
    expect(taken.at(-1)).toBe(first)
  }
  return taken
}

test('one of each owner in turn, each owner in the order of coming', () => {
  const ring = ringOf('a1', 'a2', 'a3', 'b1', 'c1', 'c2')
  expect(drain(ring)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
  expect(ring.first).toBeUndefined()
  expect(ring.take()).toBeUndefined()
})

test('an item is in it once; what is removed has no turn and takes nobody elses', () => {
  const ring = ringOf('a1', 'a2', 'a1', 'b1')
  expect(ring.has('a', 'a1')).toBe(true)
  ring.remove('a', 'a1')
  ring.remove('a', 'a1')
  ring.remove('b', 'b9')
  ring.remove('c', 'c1')
  expect(ring.has('a', 'a1')).toBe(false)
  expect(drain(ring)).toEqual(['a2', 'b1'])
})

test('clear gives back all', () => {
  const ring = ringOf('a1', 'b1', 'a2')
  expect(ring.clear().sort()).toEqual(['a1', 'a2', 'b1'])
  expect(ring.isEmpty).toBe(true)
  ring.add('a', 'a1')
  expect(drain(ring)).toEqual(['a1'])
})

test('as a list of lists that is walked through, whatever comes and goes', () => {
  const item = fc
    .tuple(fc.constantFrom(...'abcdefghijklmnopqrst'), fc.integer({ min: 0, max: 2 }))
    .map(it => it.join(''))
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ what: fc.constant('add' as const), item }) },
    { weight: 2, arbitrary: fc.record({ what: fc.constant('take' as const), item }) },
    { weight: 1, arbitrary: fc.record({ what: fc.constant('remove' as const), item }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), steps => {
      const ring = new FairRing<string, string>()
      let model: string[][] = []
      for (const { what, item } of steps) {
        const line = model.find(items => ownerOf(items[0]!) === ownerOf(item))
        if (what === 'add') {
          if (line === undefined) model.push([item])
          else if (!line.includes(item)) line.push(item)
          ring.add(ownerOf(item), item)
        } else if (what === 'remove') {
          line?.splice(line.indexOf(item), line.includes(item) ? 1 : 0)
          ring.remove(ownerOf(item), item)
        } else {
          const [taken, ...rest] = model[0] ?? []
          expect(ring.take()).toBe(taken)
          model = [...model.slice(1), rest]
        }
        model = model.filter(({ length }) => length > 0)
        expect(ring.first).toBe(model[0]?.[0])
        expect(ring.isEmpty).toBe(model.length === 0)
        expect(ring.has(ownerOf(item), item)).toBe(model.some(items => items.includes(item)))
      }
      expect(ring.clear().sort()).toEqual(model.flat().sort())
    }),
  )
})
