import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readWoven, wovenValue } from '../../src/sink/woven.ts'

const headersOf = (source: string, position: Buffer) => ({
  'm2k.op': 'u',
  'm2k.source': source,
  'm2k.position': position,
  'm2k.ts': '1700000000000',
  'm2k.doc': 'exact',
})
const positions = fc.uint8Array({ minLength: 1, maxLength: 200 }).map(bytes => Buffer.from(bytes))

test('whatever the document: the metadata is read back, and the rest stays as it is', () => {
  const documents = fc.dictionary(
    fc.string().filter(name => name !== 'm2k'),
    fc.jsonValue(),
  )
  fc.assert(
    fc.property(documents, fc.string(), positions, (document, source, position) => {
      const value = wovenValue({ headers: headersOf(source, position), value: Buffer.from(JSON.stringify(document)) })
      expect(readWoven(value)).toEqual({ source: source.toWellFormed(), position })
      const { m2k, ...rest } = JSON.parse(value.toString()) as Record<string, unknown>
      expect(rest).toEqual(JSON.parse(JSON.stringify(document)))
      expect(m2k).toEqual({ op: 'u', source, position: position.toString('hex'), ts: 1_700_000_000_000, doc: 'exact' })
    }),
  )
})

test("a document's own member of that name is the one that readers keep", () => {
  const position = Buffer.of(1)
  const own = '{"m2k":{"op":"c","source":"x","position":"ff","ts":0}}'
  const value = wovenValue({ headers: headersOf('a/b/0', position), value: Buffer.from(own) })
  expect(readWoven(value)).toEqual({ source: 'a/b/0', position })
  expect(JSON.parse(value.toString())).toEqual(JSON.parse(own))
})

test('what is not ours is left alone', () => {
  for (const text of [
    '',
    'null',
    '{}',
    '{"a":1}',
    '{"m2k":1}',
    '{"m2k":{"op":"c","source":"s","position":"zz","ts":1}}',
  ]) {
    expect(readWoven(Buffer.from(text))).toBeUndefined()
  }
  fc.assert(fc.property(fc.uint8Array(), bytes => readWoven(Buffer.from(bytes)) === undefined))
})

test('only JSON objects can carry it', () => {
  const weave = () => wovenValue({ headers: headersOf('a', Buffer.of(1)), value: Buffer.from('[1]') })
  expect(weave).toThrow(/JSON objects only/)
})
