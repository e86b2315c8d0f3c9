import { type BareKeyClass, writeBareKey } from '../bson/bare-key.ts'
import { KeyJson } from '../bson/key.ts'
import type { ByteWriter } from '../bson/writer.ts'
import { Configuration } from '../errors.ts'
import type { ChangeEvent, ValueSpan } from '../event.ts'
import type { EncodeOptions } from './encode.ts'
import { findKeyField, type KeyField, keyField } from './key-fields.ts'

const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const COMMA = 0x2c

/** Collections whose ids' type is remembered; beyond, a second type goes unnoticed. */
const MAX_COLLECTIONS = 10_000
/** How the key of a namespace begins, in both formats. */
const NAMESPACE_OPEN = '{"$ns":'

/** Makes record keys. */
export interface KeyWriter {
  /** Appends the key of `event`. Throws a RangeError where there is none. */
  write(out: ByteWriter, event: ChangeEvent): void
}

/** Throws Configuration where the options ask for a bare key of several fields. */
export function createKeyWriter({ fields, format }: EncodeOptions['key']): KeyWriter {
  const writer = format === 'string' ? bareKeys(fields) : jsonKeys(fields)
  return {
    write(out, event) {
      if (event.documentKey === undefined) writeNamespaceKey(out, event)
      else writer.write(out, event)
    },
  }
}

/**
 * The key of an event that concerns no document: `{"$ns":{"db":"shop","coll":"orders"}}`. No id has it: in
 * extended-json keys the `$` of a real field name is escaped, and bare keys that begin so are refused.
 */
function writeNamespaceKey(out: ByteWriter, { db, collection }: ChangeEvent): void {
  const namespace = collection === '' ? { db } : { db, coll: collection }
  const key = Buffer.from(`${NAMESPACE_OPEN}${JSON.stringify(namespace)}}`)
  out.copy(key, 0, key.length)
}

/** Format `extended-json`: one field is the bare value, several a document in the order configured. */
function jsonKeys(fields: EncodeOptions['key']['fields']): KeyWriter {
  const json = new KeyJson()
  const wanted = fields === 'documentKey' ? undefined : fields.map(keyField)
  return {
    write(out, event) {
      json.out = out
      if (wanted === undefined) writeDocumentKey(json, event)
      else if (wanted.length === 1) writeValue(json, fieldValue(event, wanted[0]!))
      else writeFields(json, event, wanted)
    },
  }
}

function fieldValue(event: ChangeEvent, field: KeyField): ValueSpan {
  return (field.isId ? event.id : undefined) ?? findKeyField(event, field)
}

function writeDocumentKey(json: KeyJson, { documentKey }: ChangeEvent): void {
  if (documentKey !== undefined) json.document(documentKey.bytes, documentKey.start, documentKey.end)
}

function writeValue(json: KeyJson, { type, bytes, start, end }: ValueSpan): void {
  json.value(type, bytes, start, end)
}

function writeFields(json: KeyJson, event: ChangeEvent, fields: readonly KeyField[]): void {
  const { out } = json
  let separator = OPEN_BRACE
  for (const field of fields) {
    out.ensure(1)
    out.byte(separator)
    out.copy(field.label, 0, field.label.length)
    writeValue(json, fieldValue(event, field))
    separator = COMMA
  }
  out.ensure(1)
  out.byte(CLOSE_BRACE)
}

/** Format `string`: the bare text of one field. Texts are unique only within one type, so a second type is refused. */
function bareKeys(fields: EncodeOptions['key']['fields']): KeyWriter {
  if (fields === 'documentKey' || fields.length !== 1) {
    throw new Configuration('CONFIG_INVALID', 'key format string takes exactly one key field')
  }
  const field = keyField(fields[0]!)
  const classes = new Map<string, BareKeyClass>()
  return {
    write(out, event) {
      const { type, bytes, start, end } = fieldValue(event, field)
      const from = out.length
      const found = writeBareKey(out, type, bytes, start, end)
      if (found === undefined) throw new RangeError(`a key of BSON type ${type} has no bare text`)
      checkClass(classes, `${event.db}.${event.collection}`, found)
      const to = Math.min(from + NAMESPACE_OPEN.length, out.length)
      if (out.bytes.toString('latin1', from, to) === NAMESPACE_OPEN) {
        throw new RangeError(`a bare key must not begin with ${NAMESPACE_OPEN}`)
      }
    },
  }
}

function checkClass(classes: Map<string, BareKeyClass>, namespace: string, found: BareKeyClass): void {
  const known = classes.get(namespace)
  if (known === undefined) {
    if (classes.size < MAX_COLLECTIONS) classes.set(namespace, found)
  } else if (known !== found) {
    throw new RangeError(`a key of type ${found} after keys of type ${known}, whose bare texts may be the same`)
  }
}
