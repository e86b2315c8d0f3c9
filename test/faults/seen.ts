import type { FetchedRecord } from './fetch-connection.ts'
import { jsonOf } from './ids.ts'
import type { ChangeKind, Seen } from './journal.ts'

interface Document {
  readonly v: number
  readonly check: string
}

interface ChangeValue {
  readonly operationType: ChangeKind
  readonly ns: { readonly coll: string }
  readonly fullDocument?: Document
  readonly fullDocumentBeforeChange?: Document
  readonly updateDescription?: { readonly updatedFields: Document }
}

/** A record of shape change-event, as the judge needs it. Whose change it is says its key, which consumers go by. */
export function seenOf(topic: string, partition: number, record: FetchedRecord): Seen {
  const text = String(record.value)
  const event = JSON.parse(text) as ChangeValue
  const id = String(record.key)
  const key = `${event.ns.coll}/${id}`
  // Not from the parsed value: JavaScript's numbers would round it.
  const isOfThisId = text.includes(`"documentKey":{"_id":${jsonOf(id)}}`)
  const version = versionOf(event)
  return {
    key,
    version,
    kind: event.operationType,
    genuine: isOfThisId && isGenuine(event, key, version),
    topic,
    partition,
    source: String(record.headers['m2k.source']),
    position: record.headers['m2k.position']?.toString('latin1') ?? '',
    atMs: Date.now(),
  }
}

/** A delete is the version after the document that it removed. */
function versionOf(event: ChangeValue): number {
  if (event.operationType === 'delete') return (event.fullDocumentBeforeChange?.v ?? Number.NaN) + 1
  if (event.operationType === 'update') return event.updateDescription?.updatedFields.v ?? Number.NaN
  return event.fullDocument?.v ?? Number.NaN
}

/** Whether the documents in it are some that were written, and the one of this change among them. */
function isGenuine(event: ChangeValue, key: string, version: number): boolean {
  const { fullDocument, fullDocumentBeforeChange, updateDescription } = event
  const documents = [fullDocument, fullDocumentBeforeChange, updateDescription?.updatedFields].filter(d => d != null)
  if (documents.some(({ v, check }) => check !== `${key}@${v}`)) return false
  return (fullDocument?.v ?? version) >= version && (fullDocumentBeforeChange?.v ?? version - 1) === version - 1
}
