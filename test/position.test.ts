import { BSON } from 'bson'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Position } from '../src/position.ts'

const position = (data: string) => Position.ofToken(Buffer.from(BSON.serialize({ _data: data })))

// Tokens as mongod 6.0.5 sent them: a high-water mark, an event, and three events of one transaction.
const mark = '826B01AD6B000000072B0229296E04'
const uuid = '5A10045B0DEFF35488408A914D142C587F2BAF46'
const event = `826B01AD6B000000062B022C0100296E${uuid}3C5F6964003C61000004`
const inTransaction = [
  `826B01AD6B000000072B022C0100296E${uuid}1E5F6964002B140004`,
  `826B01AD6B000000072B022C01002B026E${uuid}1E5F6964002B160004`,
  `826B01AD6B000000072B022C01002B046E${uuid}1E5F6964002B180004`,
]

describe('Position', () => {
  it('tells events, high-water marks and times apart', () => {
    expect(position(event).kind).toBe('event')
    expect(position(mark).kind).toBe('high-water-mark')
    expect(Position.ofTime(7n).kind).toBe('time')
    expect(position(event).clusterTime).toBe(0x6b01ad6b00000006n)
    expect(position(event).timeMs).toBe(0x6b01ad6b * 1000)
  })

  it('orders as MongoDB does: event, time, mark, and the events of a transaction', () => {
    const ordered = [
      position(event),
      Position.ofTime(0x6b01ad6b00000007n),
      position(mark),
      ...inTransaction.map(position),
    ]
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) expect(Math.sign(a.compare(b))).toBe(Math.sign(i - j))
    }
  })

  it('compares without token version and type', () => {
    expect(position(event).compare(position(event.replace('2B022C0100', '2B042C0100')))).toBe(0)
  })

  it('comes back from what is stored, with every field of its token', () => {
    const token = Buffer.from(BSON.serialize({ _data: event, _typeBits: Buffer.from([0x82, 0xc0]) }))
    for (const one of [Position.ofToken(token), position(mark), Position.ofTime(123n)]) {
      const again = Position.parse(JSON.parse(JSON.stringify(one)))
      expect(again.toJSON()).toEqual(one.toJSON())
      expect(again.compare(one)).toBe(0)
    }
    expect(Position.ofToken(token).token?.equals(token)).toBe(true)
  })

  it('orders times as numbers', () => {
    const time = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    fc.assert(
      fc.property(time, time, (a, b) => {
        const compared = Position.ofTime(a).compare(Position.ofTime(b))
        expect(Math.sign(compared)).toBe(a < b ? -1 : a > b ? 1 : 0)
      }),
    )
  })

  it('refuses what is no resume token with a RangeError', () => {
    const bad = [
      () => Position.ofToken(Buffer.from(BSON.serialize({ other: 1 }))),
      () => position('82'),
      () => position('FF6B01AD6B000000072B0229296E04'),
      () => position('826B01AD6B00000007FFFFFFFF'),
      () => Position.parse({ kind: 'event', token: null, clusterTime: '1' }),
      () => Position.parse({ ...position(event).toJSON(), clusterTime: '1' }),
    ]
    for (const make of bad) expect(make).toThrow(RangeError)
  })
})
