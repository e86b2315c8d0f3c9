import { Decimal128 } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decimalText, readDecimal } from '../../src/bson/decimal128.ts'
import { decimals } from './documents.ts'

test('writes decimals as the bson package does', () => {
  fc.assert(
    fc.property(decimals, decimal => {
      expect(decimalText(Buffer.from(decimal.bytes), 0)).toBe(decimal.toString())
    }),
    { numRuns: 2000 },
  )
})

test('reads any 16 bytes as the bson package does', () => {
  // Combinations of 11xxx imply more than 34 digits, which is zero; the bson package prints digits for some of them.
  const sixteen = fc
    .uint8Array({ minLength: 16, maxLength: 16 })
    .filter(bytes => (bytes[15]! & 0x60) !== 0x60 || (bytes[15]! & 0x78) === 0x78)
  fc.assert(
    fc.property(sixteen, bytes => {
      expect(decimalText(Buffer.from(bytes), 0)).toBe(new Decimal128(bytes).toString())
    }),
    { numRuns: 5000 },
  )
})

test('more than 34 digits mean zero', () => {
  const tooMany = Buffer.from('ffffffffffffffffffffffffffff4130', 'hex')
  expect(readDecimal(tooMany, 0)).toEqual({ negative: false, coefficient: 0n, exponent: 0 })
  const implied = Buffer.from('000000000000000000000000000000ec', 'hex')
  expect(readDecimal(implied, 0)).toEqual({ negative: true, coefficient: 0n, exponent: -32 })
})
