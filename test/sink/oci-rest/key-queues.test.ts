import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyQueues, type Queued } from '../../../src/sink/oci-rest/key-queues.ts'

const message = (key: string, caller: number, sizeBytes = 1): Queued<number> => ({ key, json: '', sizeBytes, caller })

test('a request has each key once, and a key waits for its answer', () => {
  const queues = new KeyQueues<number>()
  for (const [i, key] of ['a', 'a', 'b', 'a'].entries()) queues.push(message(key, i))
  const first = queues.take(100, 100)
  expect(first.map(({ caller }) => caller)).toEqual([0, 2])
  expect(queues.take(100, 100)).toEqual([])
  queues.acknowledge(first[1]!)
  expect(queues.hasReady).toBe(false)
  queues.release(first[0]!)
  expect(queues.take(100, 100).map(({ caller }) => caller)).toEqual([0])
  queues.acknowledge(first[0]!)
  expect(queues.take(100, 100).map(({ caller }) => caller)).toEqual([1])
  expect(queues.count).toBe(2)
})

test('bytes and messages of a request are limited, but one message always goes', () => {
  const queues = new KeyQueues<number>()
  for (const [i, size] of [200, 40, 60, 1, 1].entries()) queues.push(message(`k${i}`, i, size))
  expect(queues.take(100, 9).map(({ caller }) => caller)).toEqual([0])
  expect(queues.take(100, 9).map(({ caller }) => caller)).toEqual([1, 2])
  expect(queues.take(100, 1).map(({ caller }) => caller)).toEqual([3])
})

test('whatever is pushed, refused and acknowledged in whatever order: each once, each key in order', () => {
  const pushes = fc.array(fc.nat(4), { maxLength: 300 })
  const chances = fc.infiniteStream(fc.nat(9))
  fc.assert(
    fc.property(pushes, chances, (keys, chance) => {
      const queues = new KeyQueues<number>()
      const done: Queued<number>[] = []
      const held: Queued<number>[] = []
      const next = () => chance.next().value as number
      let pushed = 0
      while (done.length < keys.length) {
        while (pushed < keys.length && next() > 2) queues.push(message(`k${keys[pushed]}`, pushed++))
        const taken = queues.take(3, 100)
        expect(new Set([...held, ...taken].map(({ key }) => key)).size).toBe(held.length + taken.length)
        for (const each of taken) {
          if (next() > 4) done.push(each)
          else held.push(each)
        }
        for (const each of taken) if (done.includes(each)) queues.acknowledge(each)
        while (held.length > 0 && next() > 3) queues.release(held.pop()!)
      }
      for (const key of new Set(keys)) {
        const order = done.filter(each => each.key === `k${key}`).map(({ caller }) => caller)
        expect(order).toEqual(keys.flatMap((each, i) => (each === key ? [i] : [])))
      }
      expect(queues.count).toBe(0)
      expect(queues.hasReady).toBe(false)
    }),
  )
})
