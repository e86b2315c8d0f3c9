import fc from 'fast-check'
import { expect, test } from 'vitest'
import { murmur2, toPositive } from '../../src/bson/murmur2.ts'

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('hashes %j as the Java client does', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('hashes a part of a buffer as that part alone', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), fc.uint8Array(), (before, bytes, after) => {
      const whole = Buffer.concat([before, bytes, after])
      expect(murmur2(whole, before.length, before.length + bytes.length)).toBe(murmur2(bytes))
    }),
  )
})

test('clears the sign bit as Kafka does, also of the least int32', () => {
  expect([toPositive(-973932308), toPositive(5), toPositive(-(2 ** 31))]).toEqual([1173551340, 5, 0])
})
