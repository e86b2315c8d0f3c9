import { serialize } from 'bson'
import { describe, expect, test } from 'vitest'
import { Position } from '../src/position.ts'

const seconds = 0x6550_0000
const clusterTime = (BigInt(seconds) << 32n) | 7n

/** A token as MongoDB's resume_token.cpp writes it, from the bytes behind the cluster time on, in hex. */
function token(rest: string, increment = 7, more: Record<string, unknown> = {}): Buffer {
  const time = seconds.toString(16).padStart(8, '0') + increment.toString(16).padStart(8, '0')
  return Buffer.from(serialize({ _data: `82${time}${rest}`.toUpperCase(), ...more }))
}

/** Version 1: type 128 (event), txnOpIndex, fromInvalidate, UUID, documentKey. */
const event = (txnOpIndex: string, key: string) => `2b022c0100${txnOpIndex}6e5a10${'11'.repeat(16)}46${key}04`
const highWaterMark = '2b0229296e04' // Version 1: type 0.

describe('a resume token', () => {
  test('tells its cluster time and its kind', () => {
    const position = Position.ofToken(token(event('29', '1e5f6964002b02')))
    expect([position.kind, position.clusterTime, position.timeMs]).toEqual(['event', clusterTime, seconds * 1_000])
    expect(Position.ofToken(token(highWaterMark)).kind).toBe('high-water-mark')
  })

  test('is copied whole, _typeBits included', () => {
    const raw = token(event('29', '1e5f6964002b02'), 7, { _typeBits: Buffer.of(0x82, 0x10) })
    const original = Buffer.from(raw)
    const position = Position.ofToken(raw)
    raw.fill(0)
    expect(position.token).toEqual(original)
  })

  test('that is none is refused', () => {
    expect(() => Position.ofToken(Buffer.from(serialize({ x: 1 })))).toThrow(RangeError)
    expect(() => Position.ofToken(Buffer.from(serialize({ _data: '00' })))).toThrow(RangeError)
    expect(() => Position.ofToken(Buffer.from(serialize({ _data: `99${'00'.repeat(20)}` })))).toThrow(RangeError)
    expect(() => Position.ofToken(Buffer.alloc(0))).toThrow(RangeError)
  })
})

describe('order', () => {
  const ordered = [
    Position.ofTime(clusterTime - 1n),
    Position.ofTime(clusterTime),
    Position.ofToken(token(event('29', '1e5f6964002b02'))),
    Position.ofToken(token(event('29', '1e5f6964002b04'))),
    Position.ofToken(token(event('2b02', '1e5f6964002b02'))), // The second operation of a transaction.
    Position.ofToken(token(event('29', '1e5f6964002b02'), 8)),
    Position.ofTime(clusterTime + 5n),
  ]

  test('is by cluster time, then by the place within it', () => {
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) expect(Math.sign(a.compare(b)), `${i} and ${j}`).toBe(Math.sign(i - j))
    }
  })

  test('does not depend on the version of the token: 1 in server 6.0, 2 later', () => {
    const rest = event('29', '1e5f6964002b02')
    const [one, two] = [Position.ofToken(token(rest)), Position.ofToken(token(rest.replace(/^2b02/, '2b04')))]
    expect(one.compare(two)).toBe(0)
  })
})

describe('storing', () => {
  test.each([
    ['an event', Position.ofToken(token(event('29', '1e5f6964002b02')))],
    ['a high-water mark', Position.ofToken(token(highWaterMark))],
    ['a time', Position.ofTime(clusterTime)],
    ['the highest time', Position.ofTime(2n ** 64n - 1n)],
  ])('%s comes back as it was', (_kind, position) => {
    const back = Position.parse(JSON.parse(JSON.stringify(position)))
    expect(back).toEqual(position)
    expect(back.compare(position)).toBe(0)
  })

  test('a position that contradicts itself is refused, never repaired', () => {
    const stored = Position.ofToken(token(highWaterMark)).toJSON()
    expect(() => Position.parse({ ...stored, clusterTime: '1' })).toThrow('disagree')
    expect(() => Position.parse({ ...stored, token: null })).toThrow(RangeError)
    expect(() => Position.parse({ ...stored, token: 'AAAA' })).toThrow(RangeError)
  })

  test('is shown as time and increment, without the token', () => {
    expect(String(Position.ofTime(clusterTime))).toBe(`${new Date(seconds * 1_000).toISOString()} (${seconds}:7)`)
  })
})
