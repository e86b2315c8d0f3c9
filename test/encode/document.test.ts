import { expect, test } from 'vitest'
import { documentOf } from '../../src/encode/document.ts'
import { eventOf } from './events.ts'

test('a change gives its after-image, a delete a tombstone, a missing document nothing', () => {
  const documentKey = { _id: 1 }
  const insert = eventOf({ operation: 'insert', documentKey, after: { _id: 1 } })
  expect(documentOf(insert)).toBe(insert.after)
  expect(documentOf(eventOf({ operation: 'delete', documentKey, before: { _id: 1 } }))).toBe('tombstone')
  expect(documentOf(eventOf({ operation: 'update', documentKey, label: 'missing' }))).toBeUndefined()
})

test.each(['drop', 'rename', 'dropDatabase', 'invalidate'])('%s gives nothing', operation => {
  expect(documentOf(eventOf({ operation }))).toBeUndefined()
})
