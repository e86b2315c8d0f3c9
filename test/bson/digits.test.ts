import fc from 'fast-check'
import { expect, test } from 'vitest'
import { writeBareDouble, writeInteger } from '../../src/bson/digits.ts'
import { ByteWriter } from '../../src/bson/writer.ts'

function written(write: (out: ByteWriter) => void): string {
  const out = new ByteWriter()
  write(out)
  return out.take().toString()
}

/** Numbers around every power of ten and two, where the count of digits and the way to write them change. */
const edges = Array.from({ length: 16 }, (_, i) => 10 ** i)
  .concat(Array.from({ length: 54 }, (_, i) => 2 ** i))
  .flatMap(edge => [edge - 1, edge, edge + 1].flatMap(value => [value, -value]))
  .filter(value => Number.isSafeInteger(value) && !Object.is(value, -0))

test.each(edges)('writes the integer %i', value => {
  expect(written(out => writeInteger(out, value))).toBe(String(value))
})

test('writes any safe integer', () => {
  const any = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -100_000, max: 100_000 }))
  fc.assert(
    fc.property(any, value => {
      expect(written(out => writeInteger(out, value))).toBe(String(value))
    }),
    { numRuns: 2000 },
  )
})

test('writes a double of few places as String does', () => {
  const digits = fc.oneof(
    fc.integer({ min: -1_000_000, max: 1_000_000 }),
    fc.maxSafeInteger(),
    fc.integer({ min: 999_999_999_999_990, max: 1_000_000_000_000_010 }),
  )
  fc.assert(
    fc.property(digits, fc.integer({ min: 1, max: 7 }), (decimal, places) => {
      const value = decimal / 10 ** places
      const text = Object.is(value, -0) ? '-0.0' : String(value)
      expect(written(out => writeBareDouble(out, value))).toBe(text)
    }),
    { numRuns: 5000 },
  )
})

test.each([0.1, 0.0001, 0.00001, 123.45, -9.5, 0.30000000000000004, 99999999999.9999, 1.0000000000000002, 5e-324])(
  'writes the double %d as String does',
  value => {
    expect(written(out => writeBareDouble(out, value))).toBe(String(value))
  },
)
