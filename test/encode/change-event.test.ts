import { Binary, Int32, Long, ObjectId, Timestamp, UUID } from 'bson'
import { expect, test } from 'vitest'
import { CanonicalJson } from '../../src/bson/extended-json.ts'
import { PlainJson } from '../../src/bson/plain-json.ts'
import { writeChangeEvent } from '../../src/encode/change-event.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { eventOf } from './events.ts'

function written(event: ChangeEvent): string {
  const json = new PlainJson()
  writeChangeEvent(json, event)
  return json.out.take().toString()
}

const ns = { db: 'shop', coll: 'orders' }

test("writes MongoDB's fields in MongoDB's order, without the resume token and what is not in the list", () => {
  const event = eventOf({
    operation: 'update',
    raw: {
      clusterTime: new Timestamp({ t: 5, i: 2 }),
      collectionUUID: new UUID('01234567-89ab-4def-8123-456789abcdef'),
      wallTime: new Date(5),
      fullDocument: { stale: true },
      ns,
      documentKey: { _id: 1 },
      updateDescription: { updatedFields: { 'a.b': 2 }, removedFields: ['c'], truncatedArrays: [] },
      lsid: { id: new UUID('01234567-89ab-4def-8123-456789abcdef'), uid: new Binary(Buffer.from([1])) },
      txnNumber: Long.fromNumber(3),
      fullDocumentBeforeChange: { stale: true },
    },
    after: { _id: 1, a: { b: 2 } },
    before: { _id: 1, c: 0 },
  })
  expect(written(event)).toBe(
    '{"operationType":"update","clusterTime":{"t":5,"i":2},"wallTime":"1970-01-01T00:00:00.005Z",' +
      '"fullDocument":{"_id":1,"a":{"b":2}},"ns":{"db":"shop","coll":"orders"},"documentKey":{"_id":1},' +
      '"updateDescription":{"updatedFields":{"a.b":2},"removedFields":["c"],"truncatedArrays":[]},' +
      '"lsid":{"id":"01234567-89ab-4def-8123-456789abcdef","uid":"AQ=="},"txnNumber":3,' +
      '"fullDocumentBeforeChange":{"_id":1,"c":0}}',
  )
})

test('writes what only a lookup found at the end, and leaves out what the pipeline did not ask for', () => {
  const raw = { ns, documentKey: { _id: 1 } }
  const found = eventOf({ operation: 'update', raw, after: { _id: 1, a: 2 }, before: { _id: 1 } })
  expect(written(found)).toBe(
    '{"operationType":"update","ns":{"db":"shop","coll":"orders"},"documentKey":{"_id":1},' +
      '"fullDocument":{"_id":1,"a":2},"fullDocumentBeforeChange":{"_id":1}}',
  )
  const withoutImages = { ...raw, fullDocument: { _id: 1 }, fullDocumentBeforeChange: { _id: 1 } }
  expect(written(eventOf({ operation: 'update', raw: withoutImages }))).toBe(
    '{"operationType":"update","ns":{"db":"shop","coll":"orders"},"documentKey":{"_id":1}}',
  )
  expect(written(eventOf({ operation: 'update', raw: { ns, fullDocument: null } }))).not.toContain('fullDocument')
})

test('is an empty object where there is nothing to say', () => {
  const event = eventOf({ operation: 'insert', after: { _id: 1 } })
  const bare = { ...event, raw: { bytes: Buffer.from([5, 0, 0, 0, 0]), start: 0, end: 5 }, after: undefined }
  expect(written(bare)).toBe('{}')
})

test('writes every part in the format of the transcoder', () => {
  const json = new CanonicalJson()
  const event = eventOf({
    operation: 'insert',
    raw: { documentKey: { _id: new ObjectId('0123456789abcdef01234567') } },
    after: { n: new Int32(1) },
  })
  writeChangeEvent(json, event)
  expect(json.out.take().toString()).toBe(
    '{"operationType":"insert","documentKey":{"_id":{"$oid":"0123456789abcdef01234567"}},"fullDocument":{"n":{"$numberInt":"1"}}}',
  )
})
