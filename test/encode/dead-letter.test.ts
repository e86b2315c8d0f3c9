import { describe, expect, test } from 'vitest'
import { createEncoder } from '../../src/encode/encoder.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import { PoisonEvent } from '../../src/errors.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { silentMeter } from '../../src/meter.ts'
import { Position } from '../../src/position.ts'
import type { OutRecord } from '../../src/record.ts'
import { outRecord, sortKeyOfHeader } from '../../src/record-headers.ts'
import { eventOf, optionsOf, partitionCount } from './events.ts'

const tooLarge = new PoisonEvent('SINK_RECORD_TOO_LARGE', 'a record of 2000000 bytes is larger than the topic takes')
const invalid = new PoisonEvent('SINK_RECORD_INVALID', 'one record was refused')

/** The dead letter of `event`, behind a record of another event and in the place of what could not be written. */
function letterOf(event: ChangeEvent, why: PoisonEvent, options: Parameters<typeof optionsOf>[0] = {}): OutRecord {
  const encoder = createEncoder(optionsOf(options), silentMeter, new RecordBlocks())
  const block = encoder.begin()
  encoder.encode(eventOf({ operation: 'insert', documentKey: { _id: 1 }, after: { _id: 1, owner: 'me' } }))
  try {
    encoder.encode(event)
  } catch (error) {
    expect(error).toBeInstanceOf(PoisonEvent)
  }
  block.cut(1)
  encoder.encodeDeadLetter(event, why)
  expect(block.count).toBe(2)
  for (let i = 0; i < block.count; i++) block.place(i, 'topic', partitionCount)
  const [before, letter] = [outRecord(block, 0), outRecord(block, 1)]
  expect(before.value!.toString()).toContain('"owner":"me"')
  block.release()
  return letter
}

const json = ({ value }: OutRecord) => JSON.parse(value!.toString()) as Record<string, unknown>
const event = eventOf({ operation: 'delete', documentKey: { _id: 7 }, before: { _id: 7, text: 'a' } })

describe('a dead letter', () => {
  test('says which event it was and why, with the key and the headers that its record would have had', () => {
    const letter = letterOf(event, tooLarge)
    expect(letter.key.toString()).toBe('7')
    expect(letter.headers).toMatchObject({ 'm2k.op': 'd', 'm2k.source': 'shop/orders/0' })
    expect(sortKeyOfHeader(letter.headers['m2k.position'] as Buffer)).toEqual(event.position.sortKey)
    expect(json(letter)).toEqual({
      reason: 'oversize',
      code: 'SINK_RECORD_TOO_LARGE',
      message: tooLarge.message,
      db: 'shop',
      collection: 'orders',
      operation: 'delete',
      timestampMs: event.timestampMs,
      position: event.position.toJSON(),
      documentKey: { _id: { $numberInt: '7' } },
    })
    expect(Position.parse(json(letter).position as ReturnType<Position['toJSON']>).compare(event.position)).toBe(0)
  })

  test('holds the value where that was not what was too large', () => {
    const insert = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { _id: 7, text: 'ä' } })
    const shape = { value: { format: 'json', shape: 'document' } } as const
    expect(json(letterOf(insert, invalid, shape)).value).toEqual({ _id: 7, text: 'ä' })
    expect(json(letterOf(event, invalid, shape)).value).toBeNull()
    const missing = eventOf({ operation: 'update', documentKey: { _id: 7 }, label: 'missing' })
    expect(json(letterOf(missing, invalid, shape))).not.toHaveProperty('value')
  })

  test('leaves out what is large, and stays small', () => {
    const large = eventOf({
      operation: 'insert',
      documentKey: { _id: 'k'.repeat(50_000) },
      after: { t: 'x'.repeat(300_000) },
    })
    const letter = letterOf(large, invalid)
    expect(letter.key.toString()).toMatch(/^\{"\$position":"[0-9a-f]{64}"\}$/)
    expect(letter.value!.length).toBeLessThan(2_000)
    expect(json(letter)).not.toHaveProperty('value')
    expect(json(letter)).not.toHaveProperty('documentKey')
    const long = letterOf(event, new PoisonEvent('SINK_RECORD_INVALID', '"ä'.repeat(10_000)))
    expect(String(json(long).message)).toHaveLength(1_000)
  })

  test('is written whatever cannot be: value, key, document key', () => {
    const broken = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { a: 1 } })
    broken.after!.bytes[broken.after!.start + 4] = 0x20
    expect(json(letterOf(broken, invalid))).not.toHaveProperty('value')
    const key = { fields: ['owner'], format: 'extended-json' } as const
    const keyless = letterOf(eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { a: 1 } }), invalid, {
      key,
    })
    expect(keyless.key.toString()).toContain('$position')
    expect(json(keyless)).toMatchObject({
      documentKey: { _id: { $numberInt: '7' } },
      value: { fullDocument: { a: 1 } },
    })
    const unkeyed = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { a: 1 } })
    unkeyed.documentKey!.bytes[unkeyed.documentKey!.start + 4] = 0x20
    expect(json(letterOf({ ...unkeyed, id: undefined }, invalid))).not.toHaveProperty('documentKey')
  })
})
