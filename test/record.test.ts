import { expect, test } from 'vitest'
import { recordBytes } from '../src/record.ts'

test('a record counts with key, value and an overhead, a tombstone without value', () => {
  const key = Buffer.from('"k"')
  expect(recordBytes({ key, value: Buffer.alloc(500) }) - recordBytes({ key, value: null })).toBe(500)
  expect(recordBytes({ key, value: null })).toBeGreaterThan(key.length)
})
