import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  putBytes,
  putVarint,
  putVarlong,
  varintBytes,
  varlongBytes,
} from '../../../../src/sink/kafka/record-batch/varint.ts'

/** As the specification says it: seven bits a byte, the lowest first; then zigzag. */
function decode(bytes: Buffer, from: number, to: number): bigint {
  let zigzag = 0n
  for (let at = to - 1; at >= from; at--) {
    expect(bytes[at]! >= 128).toBe(at < to - 1)
    zigzag = (zigzag << 7n) | BigInt(bytes[at]! & 127)
  }
  return zigzag & 1n ? -(zigzag + 1n) / 2n : zigzag / 2n
}

const edges = [7, 14, 21, 28, 30].flatMap(bits => [2 ** (bits - 1) - 1, 2 ** (bits - 1), -(2 ** (bits - 1)), -1, 0])
const int = fc.oneof(
  fc.integer({ min: -(2 ** 30), max: 2 ** 30 - 1 }),
  fc.constantFrom(...edges, 2 ** 30 - 1, -(2 ** 30)),
)

test('varints', () => {
  const bytes = Buffer.alloc(12)
  fc.assert(
    fc.property(int, value => {
      const end = putVarint(bytes, 1, value)
      expect(end - 1).toBe(varintBytes(value))
      expect(decode(bytes, 1, end)).toBe(BigInt(value))
    }),
  )
})

test('varlongs', () => {
  const bytes = Buffer.alloc(12)
  fc.assert(
    fc.property(fc.oneof(int, fc.maxSafeInteger()), value => {
      const end = putVarlong(bytes, 1, value)
      expect(end - 1).toBe(varlongBytes(value))
      expect(decode(bytes, 1, end)).toBe(BigInt(value))
    }),
  )
})

test('bytes, few and many', () => {
  const source = Buffer.from(Array.from({ length: 100 }, (_, i) => i))
  for (const length of [0, 1, 31, 32, 33, 80]) {
    const target = Buffer.alloc(100, 255)
    expect(putBytes(target, 3, source, 7, 7 + length)).toBe(3 + length)
    expect(target.subarray(3, 3 + length).equals(source.subarray(7, 7 + length))).toBe(true)
    expect(target[2]).toBe(255)
    expect(target[3 + length]).toBe(255)
  }
})
