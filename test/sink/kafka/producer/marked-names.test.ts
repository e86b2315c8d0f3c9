import { expect, test } from 'vitest'
import { MarkedNames } from '../../../../src/sink/kafka/producer/marked-names.ts'

test('holds what was added since it began anew', () => {
  const names = new MarkedNames()
  names.begin()
  names.add('a/0')
  expect([names.has('a/0'), names.has('a/1')]).toEqual([true, false])
  names.begin()
  expect(names.has('a/0')).toBe(false)
  names.add('a/0')
  expect(names.has('a/0')).toBe(true)
})

test('forgets nothing of its present names, however many it has seen', () => {
  const names = new MarkedNames()
  names.begin()
  for (let i = 0; i <= 10_000; i++) names.add(`t/${i}`)
  expect(names.has('t/0')).toBe(true)
  names.begin()
  expect(names.has('t/0')).toBe(false)
  names.add('t/0')
  expect(names.has('t/0')).toBe(true)
})
