import { DOCUMENT } from '../bson/types.ts'
import { findField } from '../bson/walk.ts'
import type { ChangeEvent, Span, ValueSpan } from '../event.ts'

/** A field that keys are made of: its name, a dotted path into subdocuments included. */
export interface KeyField {
  readonly path: string
  readonly isId: boolean
  readonly name: Buffer
  readonly steps: readonly Buffer[]
  /** `"name":` in UTF-8, spelled as in canonical keys (a leading `$` escaped). */
  readonly label: Buffer
}

export function keyField(path: string): KeyField {
  const quoted = JSON.stringify(path).replace(/^"\$/, '"\\u0024')
  return {
    path,
    isId: path === '_id',
    name: Buffer.from(path),
    steps: path.split('.').map(step => Buffer.from(step)),
    label: Buffer.from(`${quoted}:`),
  }
}

/**
 * The field's value for the key: from the document after the change, for a delete from the pre-image, and from
 * documentKey (`_id` and the shard key) where the image has it not. Throws a RangeError where none of them has it: the
 * pre-image of another operation would not do, as the change may have been to this field.
 */
export function findKeyField(event: ChangeEvent, field: KeyField): ValueSpan {
  const image = event.operation === 'delete' ? event.before : event.after
  const found = (image && find(image, field)) ?? (event.documentKey && find(event.documentKey, field))
  if (found === undefined) throw new RangeError(`key field ${JSON.stringify(field.path)} is missing`)
  return found
}

function find(document: Span, field: KeyField): ValueSpan | undefined {
  // The name as a whole first: documentKey spells nested shard keys with dots.
  const whole = findField(document.bytes, document.start, document.end, field.name)
  if (whole !== undefined || field.steps.length === 1) return whole
  let value: ValueSpan = { ...document, type: DOCUMENT }
  for (const step of field.steps) {
    if (value.type !== DOCUMENT) return undefined
    const next = findField(value.bytes, value.start, value.end, step)
    if (next === undefined) return undefined
    value = next
  }
  return value
}
