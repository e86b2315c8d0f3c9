import type { JsonTranscoder } from '../bson/json.ts'
import { Elements } from '../bson/walk.ts'
import { ascii } from '../bson/writer.ts'
import type { ChangeEvent, Span } from '../event.ts'

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const COMMA = 0x2c

/** A field of MongoDB's change event that goes into the value. */
interface Field {
  readonly name: Buffer
  /** `"name":` */
  readonly label: Uint8Array
}

const FULL_DOCUMENT = field('fullDocument')
const BEFORE_CHANGE = field('fullDocumentBeforeChange')
/** All fields by the length of their names. The resume token (`_id`) is not among them: it is ours alone. */
const FIELDS = byLength([
  FULL_DOCUMENT,
  BEFORE_CHANGE,
  ...['operationType', 'ns', 'documentKey', 'updateDescription', 'clusterTime', 'wallTime', 'txnNumber', 'lsid'].map(
    field,
  ),
])

function field(name: string): Field {
  return { name: Buffer.from(name), label: ascii(`"${name}":`) }
}

function byLength(fields: readonly Field[]): readonly (readonly Field[])[] {
  const longest = Math.max(...fields.map(({ name }) => name.length))
  return Array.from({ length: longest + 1 }, (_, length) => fields.filter(({ name }) => name.length === length))
}

/**
 * Shape `change-event`: MongoDB's change event with its own field names, in its own order. `fullDocument` and
 * `fullDocumentBeforeChange` are the event's `after` and `before`, whatever `raw` says: they stand where `raw` has
 * them, at the end where only a lookup has found them, and are left out where undefined. `metadata`, one more member,
 * comes last. Throws a RangeError for malformed BSON.
 */
export function writeChangeEvent(json: JsonTranscoder, event: ChangeEvent, metadata: Buffer | undefined): void {
  const { out } = json
  const { bytes, start, end } = event.raw
  const elements = new Elements(bytes, start, end)
  let after = event.after
  let before = event.before
  let separator = OPEN_BRACE
  while (elements.next()) {
    const known = fieldOf(elements)
    if (known === undefined) continue
    if (known === FULL_DOCUMENT) {
      separator = writeDocument(json, separator, known, after)
      after = undefined
    } else if (known === BEFORE_CHANGE) {
      separator = writeDocument(json, separator, known, before)
      before = undefined
    } else {
      writeLabel(json, separator, known)
      json.value(elements.type, bytes, elements.valueStart, elements.valueEnd)
      separator = COMMA
    }
  }
  separator = writeDocument(json, separator, FULL_DOCUMENT, after)
  separator = writeDocument(json, separator, BEFORE_CHANGE, before)
  out.ensure(2)
  if (metadata !== undefined || separator === OPEN_BRACE) out.byte(separator)
  if (metadata !== undefined) out.copy(metadata, 0, metadata.length)
  out.byte(CLOSE_BRACE)
}

function fieldOf(elements: Elements): Field | undefined {
  const candidates = FIELDS[elements.nameEnd - elements.nameStart]
  if (candidates !== undefined) {
    for (const candidate of candidates) if (elements.isNamed(candidate.name)) return candidate
  }
  return undefined
}

/** Writes nothing for undefined. Returns what must stand before the next member. */
function writeDocument(json: JsonTranscoder, separator: number, known: Field, document: Span | undefined): number {
  if (document === undefined) return separator
  writeLabel(json, separator, known)
  json.document(document.bytes, document.start, document.end)
  return COMMA
}

function writeLabel({ out }: JsonTranscoder, separator: number, { label }: Field): void {
  out.ensure(label.length + 1)
  out.byte(separator)
  out.constant(label)
}
