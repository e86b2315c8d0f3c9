import { serialize } from 'bson'
import { findField } from '../../src/bson/walk.ts'
import type { EncodeOptions, Encoder } from '../../src/encode/encode.ts'
import type { ChangeEvent, DocumentLabel, Span } from '../../src/event.ts'
import { Position } from '../../src/position.ts'
import type { OutRecord } from '../../src/record.ts'
import { outRecord } from '../../src/record-headers.ts'

/** So many that a record's partition tells the hash of its key from any other. */
export const partitionCount = 2 ** 31 - 1

export function spanOf(document: object): Span {
  // Inside a larger buffer, as in a batch.
  const bytes = Buffer.concat([
    Buffer.alloc(3, 0xff),
    serialize(document, { ignoreUndefined: false }),
    Buffer.alloc(3, 0xff),
  ])
  return { bytes, start: 3, end: bytes.length - 3 }
}

/** A resume token's position: seconds, then what follows txnOpIndex, as hex. */
export function positionAt(seconds: number, rest = '5A10', type = '2C0100'): Position {
  const time = Buffer.alloc(8)
  time.writeUInt32BE(seconds)
  return Position.ofToken(
    Buffer.from(serialize({ _data: `82${time.toString('hex')}2B02${type}29${rest}04`.toUpperCase() })),
  )
}

export interface EventParts {
  readonly operation: string
  /** Fields of the raw event behind operationType. */
  readonly raw?: object
  readonly documentKey?: object
  readonly after?: object
  readonly before?: object
  readonly label?: DocumentLabel
  readonly collection?: string
  readonly position?: Position
}

/** What `encoder` makes of `event`, as objects with memory of their own. */
export function recordsOf(encoder: Encoder, event: ChangeEvent): OutRecord[] {
  const block = encoder.begin()
  encoder.encode(event)
  for (let i = 0; i < block.count; i++) block.place(i, 'topic', partitionCount)
  const records = Array.from({ length: block.count }, (_, i) => outRecord(block, i))
  block.release()
  return records
}

/** A change event of shop.orders, its raw document in MongoDB's order of fields. */
export function eventOf(parts: EventParts): ChangeEvent {
  const { operation, documentKey, collection = 'orders', position = positionAt(1_700_000_000) } = parts
  const key = documentKey && spanOf(documentKey)
  const raw = { _id: { _data: '82' }, operationType: operation, ...parts.raw }
  return {
    raw: spanOf(raw),
    operation,
    db: 'shop',
    collection,
    documentKey: key,
    id: key && findField(key.bytes, key.start, key.end, '_id'),
    after: parts.after && spanOf(parts.after),
    before: parts.before && spanOf(parts.before),
    label: parts.label ?? 'exact',
    token: undefined,
    position,
    timestampMs: 1_700_000_000_123,
  }
}

export function optionsOf(changes: Partial<EncodeOptions> = {}): EncodeOptions {
  return {
    key: { fields: ['_id'], format: 'extended-json' },
    value: { format: 'json', shape: 'change-event' },
    tombstones: true,
    source: 'shop/orders/0',
    generation: 1,
    ...changes,
  }
}
