import { type BareKeyClass, writeBareKey } from '../bson/bare-key.ts'
import { KeyJson } from '../bson/key.ts'
import { ByteWriter } from '../bson/writer.ts'
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
  /** The key of `event`, in memory of its own. Throws a RangeError where there is none. */
  key(event: ChangeEvent): Buffer
}

/** Throws Configuration where the options ask for a bare key of several fields. */
export function createKeyWriter({ fields, format }: EncodeOptions['key']): KeyWriter {
  const writer = format === 'string' ? bareKeys(fields) : jsonKeys(fields)
  return {
    key: event => (event.documentKey === undefined ? namespaceKey(event) : writer.key(event)),
  }
}

/**
 * The key of an event that concerns no document: `{"$ns":{"db":"shop","coll":"orders"}}`. No id has it: in
 * extended-json keys the `$` of a real field name is escaped, and bare keys that begin so are refused.
 */
function namespaceKey({ db, collection }: ChangeEvent): Buffer {
  const namespace = collection === '' ? { db } : { db, coll: collection }
  return Buffer.from(`${NAMESPACE_OPEN}${JSON.stringify(namespace)}}`)
}

/** Format `extended-json`: one field is the bare value, several a document in the order configured. */
function jsonKeys(fields: EncodeOptions['key']['fields']): KeyWriter {
  const json = new KeyJson()
  const wanted = fields === 'documentKey' ? undefined : fields.map(keyField)
  return {
    key(event) {
      json.out.reset()
      if (wanted === undefined) writeDocumentKey(json, event)
      else if (wanted.length === 1) writeValue(json, fieldValue(event, wanted[0]!))
      else writeFields(json, event, wanted)
      return json.out.take()
    },
  }
}

function fieldValue(event: ChangeEvent, field: KeyField): ValueSpan {
  return field.path === '_id' && event.id !== undefined ? event.id : findKeyField(event, field)
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
  const out = new ByteWriter()
  const classes = new Map<string, BareKeyClass>()
  return {
    key(event) {
      const { type, bytes, start, end } = fieldValue(event, field)
      out.reset()
      const found = writeBareKey(out, type, bytes, start, end)
      if (found === undefined) throw new RangeError(`a key of BSON type ${type} has no bare text`)
      checkClass(classes, `${event.db}.${event.collection}`, found)
      const key = out.take()
      if (key.toString('latin1', 0, NAMESPACE_OPEN.length) === NAMESPACE_OPEN) {
        throw new RangeError(`a bare key must not begin with ${NAMESPACE_OPEN}`)
      }
      return key
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
