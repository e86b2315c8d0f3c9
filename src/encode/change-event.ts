import { FieldName } from '../bson/field-name.ts'
import type { JsonTranscoder } from '../bson/json.ts'
import { viewOf } from '../bson/view.ts'
import { cStringEnd, documentEnd, malformed, valueEnd } from '../bson/walk.ts'
import { type FixedBytes, fixedText } from '../bson/writer.ts'
import type { ChangeEvent, Span } from '../event.ts'

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

/** A field of MongoDB's change event that goes into the value. */
interface Field {
  readonly name: FieldName
  /** `,"name":` */
  readonly label: FixedBytes
}

const FULL_DOCUMENT = field('fullDocument')
const BEFORE_CHANGE = field('fullDocumentBeforeChange')
/** Known only to be passed over: the resume token is ours alone. It comes first, so this saves comparing all names. */
const RESUME_TOKEN = field('_id')
/** All fields, about in MongoDB's order: mostly the next one is looked for first. */
const FIELDS = [
  RESUME_TOKEN,
  ...['operationType', 'clusterTime', 'wallTime'].map(field),
  FULL_DOCUMENT,
  ...['ns', 'documentKey', 'updateDescription'].map(field),
  BEFORE_CHANGE,
  ...['txnNumber', 'lsid'].map(field),
]

function field(name: string): Field {
  return { name: new FieldName(name), label: fixedText(`,"${name}":`) }
}

/**
 * Shape `change-event`: MongoDB's change event with its own field names, in its own order. `fullDocument` and
 * `fullDocumentBeforeChange` are the event's `after` and `before`, whatever `raw` says: they stand where `raw` has
 * them, at the end where only a lookup has found them, and are left out where undefined. Throws a RangeError for malformed BSON.
 */
export function writeChangeEvent(json: JsonTranscoder, event: Pick<ChangeEvent, 'raw' | 'after' | 'before'>): void {
  const { out } = json
  const { bytes, start, end } = event.raw
  const begin = out.length
  const last = documentEnd(bytes, start, end) - 1
  let after = event.after
  let before = event.before
  let expected = 0
  for (let at = start + 4; at < last; ) {
    const type = bytes[at]!
    const place = placeOf(viewOf(bytes), at + 1, expected)
    if (place === FIELDS.length) {
      at = valueEnd(type, bytes, cStringEnd(bytes, at + 1, last) + 1, last)
      continue
    }
    const known = FIELDS[place]!
    const valueAt = at + 1 + known.name.size
    if (valueAt > last) throw malformed('text without terminator', at + 1)
    expected = place + 1
    if (known === RESUME_TOKEN) {
      at = valueEnd(type, bytes, valueAt, last)
    } else if (known === FULL_DOCUMENT) {
      writeDocument(json, known, after)
      after = undefined
      at = valueEnd(type, bytes, valueAt, last)
    } else if (known === BEFORE_CHANGE) {
      writeDocument(json, known, before)
      before = undefined
      at = valueEnd(type, bytes, valueAt, last)
    } else {
      writeLabel(json, known)
      at = json.value(type, bytes, valueAt, last)
    }
  }
  writeDocument(json, FULL_DOCUMENT, after)
  writeDocument(json, BEFORE_CHANGE, before)
  out.ensure(2)
  // The comma before the first member becomes the brace.
  if (out.length === begin) out.byte(OPEN_BRACE)
  else out.bytes[begin] = OPEN_BRACE
  out.byte(CLOSE_BRACE)
}

/** Place in FIELDS of the field whose name is at `at`, looked for from `expected` on; the number of fields for others. */
function placeOf(source: DataView, at: number, expected: number): number {
  for (let place = expected; place < FIELDS.length; place++) if (FIELDS[place]!.name.isAt(source, at)) return place
  for (let place = 0; place < expected; place++) if (FIELDS[place]!.name.isAt(source, at)) return place
  return FIELDS.length
}

/** Writes nothing for undefined. */
function writeDocument(json: JsonTranscoder, known: Field, document: Span | undefined): void {
  if (document === undefined) return
  writeLabel(json, known)
  json.document(document.bytes, document.start, document.end)
}

function writeLabel({ out }: JsonTranscoder, { label }: Field): void {
  out.ensure(0)
  out.fixed(label)
}
