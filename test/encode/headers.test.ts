import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteWriter } from '../../src/bson/writer.ts'
import { MetadataWriter, operationCode, positionBytes } from '../../src/encode/headers.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { Position } from '../../src/position.ts'
import type { Headers } from '../../src/record.ts'
import { unpackHeaders } from '../../src/record-headers.ts'
import { eventOf, positionAt } from './events.ts'

const origin = { source: 'shop/orders/0', generation: 2 }

test.each([
  ['insert', 'c'],
  ['update', 'u'],
  ['replace', 'u'],
  ['delete', 'd'],
  ['read', 'r'],
  ['drop', 'drop'],
  ['constructor', 'constructor'],
])('m2k.op of %s is %s', (operation, code) => expect(operationCode(operation)).toBe(code))

function headersOf(writer: MetadataWriter, event: ChangeEvent, recordNumber: number): Headers {
  const out = new ByteWriter()
  writer.headers(out, event, recordNumber)
  return unpackHeaders(out.bytes, 0, out.length)
}

/** The event with its resume token, as one of a stream. */
function withToken(event: ChangeEvent): ChangeEvent {
  const bytes = Buffer.concat([Buffer.alloc(5, 0xff), event.position.token!, Buffer.alloc(5, 0xff)])
  return { ...event, token: { bytes, start: 5, end: bytes.length - 5 } }
}

test('writes the five headers', () => {
  const event = eventOf({ operation: 'update', label: 'later' })
  expect(headersOf(new MetadataWriter(origin), event, 1)).toEqual({
    'm2k.op': 'u',
    'm2k.source': 'shop/orders/0',
    'm2k.position': positionBytes(2, event.position, 1),
    'm2k.ts': '1700000000123',
    'm2k.doc': 'later',
  })
})

test('writes the same from a resume token as from its position, event after event', () => {
  const writer = new MetadataWriter(origin)
  fc.assert(
    fc.property(
      fc.constantFrom('insert', 'update', 'delete', 'drop'),
      fc.constantFrom('exact', 'later', 'missing', 'none'),
      fc.nat({ max: 2 ** 31 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 2 ** 52 }),
      (operation, label, seconds, rest, timestampMs) => {
        const position = positionAt(seconds, Buffer.from(rest).toString('hex'))
        const event = withToken({ ...eventOf({ operation, label, position }), timestampMs })
        expect(headersOf(writer, event, 3)).toEqual({
          'm2k.op': operationCode(operation),
          'm2k.source': 'shop/orders/0',
          'm2k.position': positionBytes(2, position, 3),
          'm2k.ts': String(timestampMs),
          'm2k.doc': label,
        })
      },
    ),
  )
})

/** Positions of which many are prefixes of others, with bytes that could be taken for the end or the record number. */
const positions = fc.oneof(
  fc
    .tuple(
      fc.nat({ max: 2 }),
      fc.array(fc.constantFrom('00', '01', '04', 'FE', 'FF'), { maxLength: 4 }).map(bytes => bytes.join('')),
      fc.constantFrom('2C0100', '29'),
    )
    .map(([seconds, rest, type]) => positionAt(seconds, rest, type)),
  fc.nat({ max: 2 }).map(seconds => Position.ofTime(BigInt(seconds) << 32n)),
)
const places = fc.record({
  generation: fc.constantFrom(0, 1, 255, 256, 2 ** 32 - 1),
  position: positions,
  number: fc.constantFrom(0, 1, 4, 254),
})

test('m2k.position orders as bytes as generation, position and record number do', () => {
  fc.assert(
    fc.property(places, places, (a, b) => {
      const order = a.generation - b.generation || a.position.compare(b.position) || a.number - b.number
      const bytes = Buffer.compare(
        positionBytes(a.generation, a.position, a.number),
        positionBytes(b.generation, b.position, b.number),
      )
      expect(Math.sign(bytes)).toBe(Math.sign(order))
    }),
    { numRuns: 5000 },
  )
})

test('refuses a record number that has no byte', () => {
  expect(() => positionBytes(0, positionAt(1), 255)).toThrow(RangeError)
})
