import { expect, test } from 'vitest'
import { FairRing } from '../../../../src/sink/kafka/producer/fair-ring.ts'

function drain(ring: FairRing<string, string>): string[] {
  const taken: string[] = []
  for (let item = ring.first; item !== undefined; item = ring.first) {
    ring.take(item.slice(0, 1), item)
    taken.push(item)
  }
  return taken
}

test('one of each owner in turn, each owner in the order of coming', () => {
  const ring = new FairRing<string, string>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) ring.add(item.slice(0, 1), item)
  expect(drain(ring)).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3'])
  expect(ring.isEmpty).toBe(true)
})

test('an item is in it once; what is removed has no turn and takes nobody elses', () => {
  const ring = new FairRing<string, string>()
  for (const item of ['a1', 'a2', 'a1', 'b1']) ring.add(item.slice(0, 1), item)
  expect(ring.has('a', 'a1')).toBe(true)
  ring.remove('a', 'a1')
  ring.remove('a', 'a1')
  ring.take('b', 'b9')
  expect(ring.has('a', 'a1')).toBe(false)
  expect(drain(ring)).toEqual(['a2', 'b1'])
})

test('clear gives back all', () => {
  const ring = new FairRing<string, string>()
  for (const item of ['a1', 'b1', 'a2']) ring.add(item.slice(0, 1), item)
  expect(ring.clear().sort()).toEqual(['a1', 'a2', 'b1'])
  expect(ring.isEmpty).toBe(true)
})
