import type { ChangeEvent } from '../event.ts'
import type { Position } from '../position.ts'
import type { Headers } from '../record.ts'

/** Who writes: the parts of the headers that are not the event's. */
export interface Origin {
  /** `deployment/pipeline/slot` */
  readonly source: string
  readonly generation: number
}

/** Every position begins with eight bytes cluster time and one byte kind; what follows has any length. */
const FIXED_BYTES = 9
const MAX_RECORD_NUMBER = 0xfe

const OPERATIONS: Readonly<Record<string, string>> = {
  insert: 'c',
  update: 'u',
  replace: 'u',
  delete: 'd',
  read: 'r',
}

/** Header m2k.op: c, u, r or d; for events without a document MongoDB's own word, such as `drop`. */
export function operationCode(operation: string): string {
  return Object.hasOwn(OPERATIONS, operation) ? OPERATIONS[operation]! : operation
}

/**
 * Header m2k.position: bytes that order as (generation, position, record number) do: generation (u32, big endian),
 * the position's nine fixed bytes, the rest of it escaped, 00, record number (0 to 254).
 *
 * The escape makes that true for positions of any content: a zero byte of the rest becomes 00 FF, so that the lone 00
 * behind it sorts below any continuation and no position is a prefix of another. Without it the record number of one
 * event would be compared with the next byte of a longer position.
 */
export function positionBytes(generation: number, position: Position, recordNumber: number): Buffer {
  if (recordNumber > MAX_RECORD_NUMBER) throw new RangeError(`record number ${recordNumber} of one event`)
  const { sortKey } = position
  let zeros = 0
  for (let i = FIXED_BYTES; i < sortKey.length; i++) if (sortKey[i] === 0) zeros++
  const bytes = Buffer.allocUnsafe(4 + sortKey.length + zeros + 2)
  bytes.writeUInt32BE(generation)
  sortKey.copy(bytes, 4, 0, FIXED_BYTES)
  let at = 4 + FIXED_BYTES
  for (let i = FIXED_BYTES; i < sortKey.length; i++) {
    bytes[at++] = sortKey[i]!
    if (sortKey[i] === 0) bytes[at++] = 0xff
  }
  bytes[at] = 0
  bytes[at + 1] = recordNumber
  return bytes
}

/** The headers of one record of `event`. */
export function headersOf(event: ChangeEvent, origin: Origin, recordNumber: number): Headers {
  return {
    'm2k.op': operationCode(event.operation),
    'm2k.source': origin.source,
    'm2k.position': positionBytes(origin.generation, event.position, recordNumber),
    'm2k.ts': String(event.timestampMs),
    'm2k.doc': event.label,
  }
}

/**
 * The same as JSON for targets without headers: `"m2k":{"op","source","position","ts","doc"}` in UTF-8, the position in
 * lower-case hex, which orders as its bytes do.
 */
export function metadataMember(event: ChangeEvent, origin: Origin): Buffer {
  const member = {
    op: operationCode(event.operation),
    source: origin.source,
    position: positionBytes(origin.generation, event.position, 0).toString('hex'),
    ts: event.timestampMs,
    doc: event.label,
  }
  return Buffer.from(`"m2k":${JSON.stringify(member)}`)
}
