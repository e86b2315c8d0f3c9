import fc from 'fast-check'
import { expect, test } from 'vitest'
import { didYouMean, editDistance } from '../../src/config/suggest.ts'

test('a slip of the pen is recognised, another word is not', () => {
  expect(didYouMean('borkers', ['type', 'brokers'])).toBe(' (did you mean brokers?)')
  expect(didYouMean('fulldocument', ['fullDocument', 'filter'])).toBe(' (did you mean fullDocument?)')
  expect(didYouMean('password', ['type', 'brokers'])).toBe('')
})

test('the distance is a metric as far as suggestions need one', () => {
  const word = fc.string({ maxLength: 12 })
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a))
      expect(editDistance(a, b) === 0).toBe(a === b)
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      expect(editDistance(a, `${a}x`)).toBe(1)
    }),
  )
})
