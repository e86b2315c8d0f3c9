import type { JsonTranscoder } from '../bson/json.ts'
import type { ChangeEvent, Span } from '../event.ts'

const EMPTY_DOCUMENT_BYTES = 5
const OPEN_BRACE = 0x7b
const COMMA = 0x2c
const CLOSE_BRACE = 0x7d

/**
 * Shape `document`: what follows from an event: its after-image, `tombstone` for a delete, and nothing where there is
 * no document (`missing`: its delete follows; drop, rename, invalidate: they concern no single document).
 */
export function documentOf(event: ChangeEvent): Span | 'tombstone' | undefined {
  if (event.documentKey === undefined) return undefined
  return event.operation === 'delete' ? 'tombstone' : event.after
}

/**
 * Writes the document. `metadata`, one more member, comes first: should the document have a field of the same name,
 * most readers keep the last of the two, and that is the user's.
 */
export function writeDocument(json: JsonTranscoder, document: Span, metadata: Buffer | undefined): void {
  const { bytes, start, end } = document
  const { out } = json
  if (metadata === undefined) {
    json.document(bytes, start, end)
    return
  }
  out.ensure(2)
  out.byte(OPEN_BRACE)
  out.copy(metadata, 0, metadata.length)
  const join = out.length
  json.document(bytes, start, end)
  // The document's opening brace becomes the comma, or all of `{}` the closing brace.
  if (end - start > EMPTY_DOCUMENT_BYTES) out.bytes[join] = COMMA
  else {
    out.length = join
    out.byte(CLOSE_BRACE)
  }
}
