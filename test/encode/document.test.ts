import { expect, test } from 'vitest'
import { PlainJson } from '../../src/bson/plain-json.ts'
import { documentOf, writeDocument } from '../../src/encode/document.ts'
import { eventOf, spanOf } from './events.ts'

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

test.each([
  [{ a: 1, m2k: 2 }, undefined, '{"a":1,"m2k":2}'],
  [{ a: 1, m2k: 2 }, '"m2k":{"op":"c"}', '{"m2k":{"op":"c"},"a":1,"m2k":2}'],
  [{}, '"m2k":{"op":"c"}', '{"m2k":{"op":"c"}}'],
])('%j with metadata %s is %s', (document, metadata, text) => {
  const json = new PlainJson()
  writeDocument(json, spanOf(document), metadata === undefined ? undefined : Buffer.from(metadata))
  expect(json.out.take().toString()).toBe(text)
})
