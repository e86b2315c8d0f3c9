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

/** Whether the coefficient has more than 34 digits: it means zero then, while the bson package prints its digits. */
function hasTooManyDigits(bytes: Uint8Array): boolean {
  const low = Buffer.from(bytes).readBigUInt64LE(0)
  const high = Buffer.from(bytes).readBigUInt64LE(8) % 2n ** 49n
  return (bytes[15]! & 0x60) === 0x60 || high * 2n ** 64n + low >= 10n ** 34n
}

test('reads any 16 bytes as the bson package does, too many digits as zero', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
      const text = decimalText(Buffer.from(bytes), 0)
      const finite = (bytes[15]! & 0x78) !== 0x78
      if (finite && hasTooManyDigits(bytes)) expect(text).toMatch(/^-?0(\.0+)?(E[+-]\d+)?$/)
      else expect(text).toBe(new Decimal128(bytes).toString())
    }),
    { numRuns: 20_000 },
  )
})

test('more than 34 digits mean zero', () => {
  const tooMany = Buffer.from('ffffffffffffffffffffffffffff4130', 'hex')
  expect(readDecimal(tooMany, 0)).toEqual({ negative: false, coefficient: 0n, exponent: 0 })
  const implied = Buffer.from('000000000000000000000000000000ec', 'hex')
  expect(readDecimal(implied, 0)).toEqual({ negative: true, coefficient: 0n, exponent: -32 })
})
