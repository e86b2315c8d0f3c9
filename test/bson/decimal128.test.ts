import { Decimal128 } from 'bson'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readDecimal, writeDecimal } from '../../src/bson/decimal128.ts'
import { viewOf } from '../../src/bson/view.ts'
import { ByteWriter } from '../../src/bson/writer.ts'
import { decimals } from './documents.ts'

function textOf(bytes: Uint8Array): string {
  const out = new ByteWriter()
  writeDecimal(out, viewOf(Buffer.from(bytes)), 0)
  return out.take().toString()
}

test('writes decimals as the bson package does', () => {
  fc.assert(
    fc.property(decimals, decimal => {
      expect(textOf(decimal.bytes)).toBe(decimal.toString())
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
      const text = textOf(bytes)
      const finite = (bytes[15]! & 0x78) !== 0x78
      if (finite && hasTooManyDigits(bytes)) expect(text).toMatch(/^-?0(\.0+)?(E[+-]\d+)?$/)
      else expect(text).toBe(new Decimal128(bytes).toString())
    }),
    { numRuns: 20_000 },
  )
})

test('more than 34 digits mean zero', () => {
  const tooMany = Buffer.from('ffffffffffffffffffffffffffff4130', 'hex')
  expect(readDecimal(viewOf(tooMany), 0)).toEqual({ negative: false, coefficient: 0n, exponent: 0 })
  const implied = Buffer.from('000000000000000000000000000000ec', 'hex')
  expect(readDecimal(viewOf(implied), 0)).toEqual({ negative: true, coefficient: 0n, exponent: -32 })
})

test('writes amounts of money, and what is just too large to be written as such', () => {
  const coefficients = fc.oneof(
    fc.bigInt({ min: 0n, max: 100_000n }),
    fc.bigInt({ min: 2n ** 53n - 2n, max: 2n ** 53n + 2n }),
    fc.constantFrom(2n ** 31n, 2n ** 32n, 2n ** 63n, 2n ** 64n, 2n ** 96n),
  )
  fc.assert(
    fc.property(coefficients, fc.integer({ min: -8, max: 1 }), fc.boolean(), (coefficient, exponent, negative) => {
      const decimal = Decimal128.fromString(`${negative ? '-' : ''}${coefficient}E${exponent}`)
      expect(textOf(decimal.bytes)).toBe(decimal.toString())
    }),
    { numRuns: 2000 },
  )
})
