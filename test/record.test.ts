import { expect, test } from 'vitest'
import { windowBytes } from '../src/record.ts'
import { packRecords } from '../src/record-headers.ts'

const record = { topic: 't', partition: 0, key: Buffer.from('"k"'), value: null, headers: {}, timestampMs: 0 }

test('records count with key, value, headers and an overhead each', () => {
  const bytes = (...records: Parameters<typeof packRecords>[0]) => windowBytes(packRecords(records))
  expect(bytes()).toBe(0)
  const tombstone = bytes(record)
  expect(tombstone).toBeGreaterThan(record.key.length)
  expect(bytes({ ...record, value: Buffer.alloc(500) }) - tombstone).toBe(500)
  expect(bytes({ ...record, headers: { 'm2k.position': Buffer.alloc(400) } }) - tombstone).toBeGreaterThan(400)
  expect(bytes(record, record)).toBe(2 * tombstone)
})
