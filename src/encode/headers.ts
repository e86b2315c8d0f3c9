import { writeBareDouble } from '../bson/digits.ts'
import { type ByteWriter, type FixedBytes, fixedBytes } from '../bson/writer.ts'
import type { ChangeEvent, DocumentLabel } from '../event.ts'
import { type Position, sortKeyLimitBytes, writeSortKey } from '../position.ts'
import { packHeaders } from '../record-headers.ts'

/** Who writes: the parts of the headers that are not the event's. */
export interface Origin {
  /** `deployment/pipeline/slot` */
  readonly source: string
  readonly generation: number
}

/** Every position begins with eight bytes cluster time and one byte kind; what follows has any length. */
const positionHeadBytes = 9
const generationBytes = 4
const maxRecordNumber = 0xfe
/** Below this a zigzag varint is one byte. */
const oneByteLengthLimit = 64

const operations: Readonly<Record<string, string>> = {
  insert: 'c',
  update: 'u',
  replace: 'u',
  delete: 'd',
  read: 'r',
}

/** Header m2k.op: c, u, r or d; for events without a document MongoDB's own word, such as `drop`. */
export function operationCode(operation: string): string {
  return Object.hasOwn(operations, operation) ? operations[operation]! : operation
}

/**
 * Header m2k.position: bytes that order as (generation, position, record number) do: generation (u32, big endian),
 * the position's nine fixed bytes, the rest of it escaped, 00, record number (0 to 254).
 *
 * The escape makes that true for positions of any content: a zero byte of the rest becomes 00 FF, so that the lone 00
 * behind it sorts below any continuation and no position is a prefix of another. Without it the record number of one
 * event would be compared with the next byte of a longer position.
 */
class PositionBytes {
  /** The generation, then the position, then 00; the record number is written behind them. */
  bytes = Buffer.alloc(128)
  /** With the record number. */
  length = 0
  readonly #generation: number
  #sortKey = Buffer.alloc(128)

  constructor(generation: number) {
    this.#generation = generation
  }

  /** The position of `event`; record number 0. */
  set(event: ChangeEvent): void {
    const { token } = event
    if (!token) {
      const { sortKey } = event.position // Costs as much as the rest of the event, so not asked for without need.
      this.ofSortKey(sortKey, sortKey.length)
      return
    }
    const { bytes, start, end } = token
    const limit = sortKeyLimitBytes(start, end)
    if (this.#sortKey.length < limit) this.#sortKey = Buffer.alloc(2 * limit)
    this.ofSortKey(this.#sortKey, writeSortKey(bytes, start, end, this.#sortKey))
  }

  ofSortKey(sortKey: Buffer, sortKeyLength: number): void {
    const limit = generationBytes + 2 * sortKeyLength + 2
    if (this.bytes.length < limit) this.bytes = Buffer.alloc(2 * limit)
    const { bytes } = this
    bytes.writeUInt32BE(this.#generation)
    let at = generationBytes
    for (let i = 0; i < positionHeadBytes; i++) bytes[at++] = sortKey[i]!
    for (let i = positionHeadBytes; i < sortKeyLength; i++) {
      bytes[at++] = sortKey[i]!
      if (sortKey[i] === 0) bytes[at++] = 0xff
    }
    bytes[at] = 0
    bytes[at + 1] = 0
    this.length = at + 2
  }

  set recordNumber(value: number) {
    if (value > maxRecordNumber) throw new RangeError(`record number ${value} of one event`)
    this.bytes[this.length - 1] = value
  }
}

/** The bytes of header m2k.position, in memory of their own. */
export function positionBytes(generation: number, position: Position, recordNumber: number): Buffer {
  const writer = new PositionBytes(generation)
  writer.ofSortKey(position.sortKey, position.sortKey.length)
  writer.recordNumber = recordNumber
  return Buffer.from(writer.bytes.subarray(0, writer.length))
}

/** Writes the metadata of events, as headers. */
export class MetadataWriter {
  readonly #origin: Origin
  readonly #position: PositionBytes
  /** What stands before the position, by operation: the number of headers, m2k.op, m2k.source, and the name of it. */
  readonly #heads = new Map<string, FixedBytes>()
  /** m2k.doc, by label. */
  readonly #labels = new Map<DocumentLabel, FixedBytes>()
  readonly #timeName = fixedBytes(headerName('m2k.ts'))

  constructor(origin: Origin) {
    this.#origin = origin
    this.#position = new PositionBytes(origin.generation)
  }

  /** Writes the headers of one record of `event` as a Kafka record holds them. */
  headers(out: ByteWriter, event: ChangeEvent, recordNumber: number): void {
    const head = this.#heads.get(event.operation) ?? this.#head(event.operation)
    const label = this.#labels.get(event.label) ?? this.#label(event.label)
    this.#position.set(event)
    this.#position.recordNumber = recordNumber
    const { bytes, length } = this.#position
    out.ensure(head.length + length + this.#timeName.length + label.length) // The numbers are in the slack.
    out.fixed(head)
    if (length < oneByteLengthLimit) out.byte(length << 1)
    else {
      out.byte(((length << 1) & 127) | 128)
      out.byte(length >>> 6)
    }
    out.copy(bytes, 0, length)
    this.#writeTime(out, event.timestampMs)
    out.fixed(label)
  }

  /** MongoDB's operations are few, so neither map grows. */
  #head(operation: string): FixedBytes {
    const parts = packHeaders({ 'm2k.op': operationCode(operation), 'm2k.source': this.#origin.source })
    parts[0] = headerCount << 1
    const head = fixedBytes(Buffer.concat([parts, headerName('m2k.position')]))
    this.#heads.set(operation, head)
    return head
  }

  #label(label: DocumentLabel): FixedBytes {
    const header = fixedBytes(packHeaders({ 'm2k.doc': label }).subarray(1)) // Without the number of headers.
    this.#labels.set(label, header)
    return header
  }

  #writeTime(out: ByteWriter, timestampMs: number): void {
    out.fixed(this.#timeName)
    const lengthAt = out.length
    out.byte(0)
    writeBareDouble(out, timestampMs)
    out.bytes[lengthAt] = (out.length - lengthAt - 1) << 1
  }
}

const headerCount = 5

/** A header's name with its length, as it stands before the value. */
function headerName(name: string): Buffer {
  return packHeaders({ [name]: '' }).subarray(1, -1)
}
