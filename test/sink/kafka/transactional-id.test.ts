import fc from 'fast-check'
import { expect, test } from 'vitest'
import { namePattern } from '../../../src/config/schema-pipeline.ts'
import { transactionalIdOf } from '../../../src/sink/kafka/transactional-id.ts'

test('names without dots stand as they are', () => {
  expect(transactionalIdOf('shop', 'orders-2_b', 3)).toBe('shop.orders-2_b.3')
})

test('dots within names are told from those between', () => {
  expect(transactionalIdOf('a.b', 'c', 0)).toBe('a%2Eb.c.0')
  expect(transactionalIdOf('a', 'b.c', 0)).toBe('a.b%2Ec.0')
})

test('no two pipelines and slots have the same', () => {
  // Few letters, so that what could be mistaken for another is.
  const name = fc.stringMatching(/^[a0._-]{1,4}$/)
  const triple = fc.tuple(name, name, fc.nat(11))
  fc.assert(
    fc.property(triple, triple, (one, other) => {
      expect(transactionalIdOf(...one) === transactionalIdOf(...other)).toBe(String(one) === String(other))
    }),
    { numRuns: 20_000 },
  )
})

test('a name cannot have what stands for a dot', () => {
  expect(new RegExp(namePattern).test('a%2Eb')).toBe(false)
})
