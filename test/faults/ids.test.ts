import { BSON } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { KeyJson } from '../../src/bson/key.ts'
import { PlainJson } from '../../src/bson/plain-json.ts'
import { transcode } from '../bson/documents.ts'
import { jsonOf, keyOf, sampleIds } from './ids.ts'

const bytesOf = (id: unknown) => Buffer.from(BSON.serialize({ _id: id }, { ignoreUndefined: false }))

describe('what the ids of every type must look like in a record', () => {
  test.each(sampleIds)('$key', ({ id, key, json }) => {
    expect(transcode(new KeyJson(), bytesOf(id))).toBe(`{"_id":${key}}`)
    expect(transcode(new PlainJson(), bytesOf(id))).toBe(`{"_id":${json}}`)
    expect(keyOf(id)).toBe(key)
    expect(jsonOf(key)).toBe(json)
  })

  test('is different for different ids, and what the server gives back is known again', () => {
    expect(new Set(sampleIds.map(({ key }) => key)).size).toBe(sampleIds.length)
    const options = { promoteValues: false, promoteLongs: false, promoteBuffers: false } as const
    for (const { id, key } of sampleIds) expect(keyOf(BSON.deserialize(bytesOf(id), options)._id)).toBe(key)
    expect([keyOf(12), keyOf('d13'), jsonOf('"d13"')]).toEqual(['12', '"d13"', '"d13"'])
    expect(() => keyOf(1.25)).toThrow('nobody wrote')
  })
})
