import { expect, test } from 'vitest'
import { recordBytes } from '../src/record.ts'

test('a record counts with key, value and an overhead, a tombstone without value', () => {
  const key = Buffer.from('"k"')
  const tombstone = { key, value: null, headers: {} }
  expect(recordBytes({ ...tombstone, value: Buffer.alloc(500) }) - recordBytes(tombstone)).toBe(500)
  expect(recordBytes(tombstone)).toBeGreaterThan(key.length)
  const headers = { 'm2k.op': 'c', 'm2k.position': Buffer.alloc(400) }
  expect(recordBytes({ ...tombstone, headers }) - recordBytes(tombstone)).toBe(6 + 1 + 12 + 400)
})
