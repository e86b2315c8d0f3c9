import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isRelaxedDate, writeIsoDate } from '../../src/bson/iso-date.ts'
import { viewOf } from '../../src/bson/view.ts'
import { ByteWriter } from '../../src/bson/writer.ts'

const CYCLE_MS = 146_097n * 86_400_000n // 400 years
const LAST_OF_9999 = 253_402_300_799_999n

function bytesOf(ms: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64LE(ms)
  return bytes
}

function iso(ms: bigint, millis: 'always' | 'non-zero' = 'always'): string {
  const out = new ByteWriter()
  writeIsoDate(out, viewOf(bytesOf(ms)), 0, millis)
  return out.take().toString()
}

/** Shifted by whole calendar cycles into the years 2000 to 2399, and the year shifted back. */
function oracle(ms: bigint): string {
  const from2000 = ms - 946_684_800_000n
  const within = ((from2000 % CYCLE_MS) + CYCLE_MS) % CYCLE_MS
  const near = new Date(Number(within + 946_684_800_000n))
  const year = BigInt(near.getUTCFullYear()) + ((from2000 - within) / CYCLE_MS) * 400n
  const size = (year < 0n ? -year : year).toString()
  const text = year >= 0n && year <= 9999n ? size.padStart(4, '0') : (year < 0n ? '-' : '+') + size.padStart(6, '0')
  return text + near.toISOString().slice(4)
}

test('writes any int64 of milliseconds, with expanded years outside 0 to 9999', () => {
  const any = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -100_000_000_000_000n, max: 300_000_000_000_000n }),
  )
  fc.assert(
    fc.property(any, ms => {
      expect(iso(ms)).toBe(oracle(ms))
    }),
    { numRuns: 3000 },
  )
})

test('agrees with Date where Date reaches', () => {
  fc.assert(
    fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), ms => {
      expect(iso(BigInt(ms))).toBe(new Date(ms).toISOString())
    }),
    { numRuns: 3000 },
  )
})

test.each([
  [-62_167_219_200_000n, '0000-01-01T00:00:00.000Z'],
  [-62_167_219_200_001n, '-000001-12-31T23:59:59.999Z'],
  [LAST_OF_9999 + 1n, '+010000-01-01T00:00:00.000Z'],
  [2n ** 63n - 1n, '+292278994-08-17T07:12:55.807Z'],
  [-(2n ** 63n), '-292275055-05-16T16:47:04.192Z'],
])('%i is %s', (ms, text) => expect(iso(ms)).toBe(text))

test('leaves .000 out where asked to', () => {
  expect([iso(0n, 'non-zero'), iso(1n, 'non-zero')]).toEqual(['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.001Z'])
})

test('relaxed Extended JSON has text for the years 1970 to 9999 only', () => {
  const within = [0n, LAST_OF_9999, -1n, LAST_OF_9999 + 1n].map(ms => isRelaxedDate(viewOf(bytesOf(ms)), 0))
  expect(within).toEqual([true, true, false, false])
})

test('goes from one day to another and back', () => {
  const texts = [0n, 1n, 86_400_000n, -(2n ** 63n), 2n].map(ms => iso(ms))
  expect(texts).toEqual([
    '1970-01-01T00:00:00.000Z',
    '1970-01-01T00:00:00.001Z',
    '1970-01-02T00:00:00.000Z',
    '-292275055-05-16T16:47:04.192Z',
    '1970-01-01T00:00:00.002Z',
  ])
})
