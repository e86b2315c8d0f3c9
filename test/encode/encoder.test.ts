import { expect, test } from 'vitest'
import { murmur2, toPositive } from '../../src/bson/murmur2.ts'
import type { EncodeOptions } from '../../src/encode/encode.ts'
import { createEncoder } from '../../src/encode/encoder.ts'
import { positionBytes } from '../../src/encode/headers.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import { PoisonEvent } from '../../src/errors.ts'
import { type Labels, type Meter, silentMeter } from '../../src/meter.ts'
import { outRecord } from '../../src/record-headers.ts'
import { type EventParts, eventOf, optionsOf, partitionCount, recordsOf } from './events.ts'

const documentKey = { _id: 7 }
const document = { format: 'json', shape: 'document' } as const

const encoderOf = (options: Partial<EncodeOptions>, meter: Meter = silentMeter) =>
  createEncoder(optionsOf(options), meter, new RecordBlocks())

function encode(options: Partial<EncodeOptions>, parts: EventParts) {
  return recordsOf(encoderOf(options), eventOf(parts))
}

const values = (options: Partial<EncodeOptions>, parts: EventParts) =>
  encode(options, parts).map(({ value }) => value?.toString() ?? null)

test('a change becomes one record with key, hash, value, headers and time', () => {
  const event = eventOf({ operation: 'insert', documentKey, after: { _id: 7 } })
  const [record, ...more] = recordsOf(encoderOf({ value: document }), event)
  expect(more).toEqual([])
  expect(record).toMatchObject({
    key: Buffer.from('7'),
    partition: toPositive(murmur2(Buffer.from('7'))) % partitionCount,
    value: Buffer.from('{"_id":7}'),
    headers: { 'm2k.op': 'c', 'm2k.position': positionBytes(1, event.position, 0) },
    timestampMs: 1_700_000_000_123,
  })
})

test('a delete is followed by a tombstone, a later position of the same event', () => {
  const event = eventOf({ operation: 'delete', documentKey, before: { _id: 7, a: 1 } })
  const records = recordsOf(encoderOf({}), event)
  expect(records.map(({ value }) => value?.toString() ?? null)).toEqual([
    '{"operationType":"delete","fullDocumentBeforeChange":{"_id":7,"a":1}}',
    null,
  ])
  expect(records.map(({ headers }) => headers['m2k.position'])).toEqual([
    positionBytes(1, event.position, 0),
    positionBytes(1, event.position, 1),
  ])
  expect(values({ tombstones: false }, { operation: 'delete', documentKey })).toHaveLength(1)
})

test('in shape document a delete becomes a tombstone whatever `tombstones` says', () => {
  for (const tombstones of [true, false]) {
    expect(values({ value: document, tombstones }, { operation: 'delete', documentKey })).toEqual([null])
  }
})

test('in shape document a missing document and events without one give nothing', () => {
  expect(values({ value: document }, { operation: 'update', documentKey, label: 'missing' })).toEqual([])
  expect(values({ value: document }, { operation: 'drop' })).toEqual([])
  expect(values({}, { operation: 'drop' })).toEqual(['{"operationType":"drop"}'])
})

test('records of several events stand one after the other, and the memory is used again', () => {
  const encoder = encoderOf({ value: document })
  const insert = (id: string) => eventOf({ operation: 'insert', documentKey: { _id: id }, after: { a: id } })
  const block = encoder.begin()
  for (const id of ['first', 'second']) encoder.encode(insert(id))
  block.place(0, 'a', 3)
  block.place(1, 'b', 1)
  const records = [outRecord(block, 0), outRecord(block, 1)]
  block.release()
  expect(encoder.begin()).toBe(block)
  expect(block.count).toBe(0)
  encoder.encode(insert('other'))
  expect(records.map(({ topic, key, value }) => `${topic} ${key} ${value}`)).toEqual([
    'a "first" {"a":"first"}',
    'b "second" {"a":"second"}',
  ])
  expect(records[1]!.partition).toBe(0)
})

test('a block grows with its records', () => {
  const encoder = encoderOf({ value: document })
  const block = encoder.begin()
  const text = 'x'.repeat(1_000)
  for (let i = 0; i < 1_000; i++) {
    encoder.encode(eventOf({ operation: 'insert', documentKey: { _id: i }, after: { i, text } }))
  }
  for (let i = 0; i < block.count; i++) block.place(i, 't', 1)
  const records = Array.from({ length: block.count }, (_, i) => outRecord(block, i))
  expect(records.map(({ key }) => Number(key.toString()))).toEqual(Array.from({ length: 1_000 }, (_, i) => i))
  expect(records.at(-1)!.value!.toString()).toBe(`{"i":999,"text":"${text}"}`)
  expect(records.at(-1)!.headers['m2k.op']).toBe('c')
})

test.each(['json', 'extended-json', 'canonical-json'] as const)('writes values in format %s', format => {
  const text = { json: '{"n":1}', 'extended-json': '{"n":1}', 'canonical-json': '{"n":{"$numberInt":"1"}}' }[format]
  expect(values({ value: { format, shape: 'document' } }, { operation: 'read', documentKey, after: { n: 1 } })).toEqual(
    [text],
  )
})

test('what cannot be encoded is a poison event that names collection and position and quotes no contents', () => {
  const event = eventOf({ operation: 'insert', documentKey, after: { secret: 'text' } })
  event.after!.bytes[event.after!.start + 4] = 0x20
  const failure = (() => {
    try {
      return recordsOf(encoderOf({ value: document }), event)
    } catch (error) {
      return error
    }
  })()
  expect(failure).toBeInstanceOf(PoisonEvent)
  const { code, message } = failure as PoisonEvent
  expect(code).toBe('EVENT_UNENCODABLE')
  expect(message).toMatch(/^insert of shop\.orders at 2023-11-14T22:13:20\.000Z .*unknown type 0x20$/)
  expect(message).not.toContain('secret')
})

test('a key field that is nowhere is a poison event', () => {
  const key = { fields: ['owner'], format: 'extended-json' } as const
  expect(() => encode({ key }, { operation: 'delete', documentKey })).toThrow(PoisonEvent)
})

test('counts malformed strings of values by pipeline', () => {
  const counts: [string, Labels, number | undefined][] = []
  const meter = {
    ...silentMeter,
    count: (name: string, labels: Labels, by?: number) => counts.push([name, labels, by]),
  }
  const event = eventOf({ operation: 'insert', documentKey, after: { a: 'xx', b: 'fine' } })
  const { bytes, start } = event.after!
  bytes[start + 11] = 0xff
  const encoder = encoderOf({ value: document }, meter)
  expect(recordsOf(encoder, event)[0]!.value!.toString()).toBe('{"a":"\ufffdx","b":"fine"}')
  recordsOf(encoder, eventOf({ operation: 'insert', documentKey, after: { a: 'fine' } }))
  expect(counts).toEqual([['malformed_strings_total', { pipeline: 'orders' }, 1]])
})
