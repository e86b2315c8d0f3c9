import { crc32c } from '../record-batch/crc32c.ts'
import { at, batchHeaderBytes, transactionalBit } from '../record-batch/layout.ts'
import { decompress } from './decompress.ts'

/** One record as it lies in a partition. Key, value and headers are views on the batch. */
export interface ReadRecord {
  readonly offset: bigint
  /** Wall-clock time, milliseconds since the Unix epoch. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Packed as a Kafka record has them: record-headers.ts. */
  readonly headers: Buffer
}

/** A record batch as it was stored. */
export interface ReadBatch {
  readonly baseOffset: bigint
  /** Compaction leaves it as it was, also where it removes the last record, or all of them. */
  readonly lastOffset: bigint
  /** -1: not idempotent. */
  readonly producerId: bigint
  readonly isTransactional: boolean
  /** No records of anybody's: it says how a transaction ended. */
  readonly isControl: boolean
  /** Unpacks the records. Throws a RangeError where they are malformed. */
  records(): readonly ReadRecord[]
}

const magicBytes = 17
const codecMask = 7
const logAppendTimeBit = 1 << 3
const controlBit = 1 << 5
/** Length, attributes, two deltas, two null lengths and a number of headers: a count beyond it is no count. */
const leastRecordBytes = 7

/**
 * The whole batches of `bytes`, as a fetch gives them; what is cut off at the end is left out. Messages of Kafka before
 * 0.11 (magic 0 and 1), which have no headers and so are never ours, are batches without records. Throws a RangeError
 * at a batch that is malformed or has a false checksum.
 * Source: https://kafka.apache.org/documentation/#recordbatch
 */
export function* recordBatches(bytes: Buffer): Generator<ReadBatch> {
  for (let start = 0; start + magicBytes <= bytes.length; ) {
    const length = bytes.readInt32BE(start + at.batchLength)
    if (length < magicBytes - at.partitionLeaderEpoch) throw new RangeError(`a record batch of ${length} bytes`)
    const end = start + at.partitionLeaderEpoch + length
    if (end > bytes.length) return
    yield readBatch(bytes.subarray(start, end))
    start = end
  }
}

function readBatch(bytes: Buffer): ReadBatch {
  const baseOffset = bytes.readBigInt64BE(0)
  const magic = bytes[at.magic]!
  if (magic < 2) return oldMessage(baseOffset)
  if (magic > 2) throw new RangeError(`a record batch of format ${magic}`)
  if (bytes.length < batchHeaderBytes) throw new RangeError(`a record batch of ${bytes.length} bytes`)
  if (bytes.readUInt32BE(at.crc) !== crc32c(bytes, at.attributes, bytes.length)) {
    throw new RangeError('a record batch whose checksum is wrong')
  }
  const attributes = bytes.readInt16BE(at.attributes)
  const lastOffsetDelta = bytes.readInt32BE(at.lastOffsetDelta)
  if (lastOffsetDelta < 0) throw new RangeError(`a record batch that ends ${-lastOffsetDelta} before its beginning`)
  return {
    baseOffset,
    lastOffset: baseOffset + BigInt(lastOffsetDelta),
    producerId: bytes.readBigInt64BE(at.producerId),
    isTransactional: (attributes & transactionalBit) !== 0,
    isControl: (attributes & controlBit) !== 0,
    records: () => readRecords(bytes, baseOffset, attributes),
  }
}

/** A compressed one holds others and has the offset of the last of them. */
function oldMessage(offset: bigint): ReadBatch {
  const nothing = { isTransactional: false, isControl: false, producerId: -1n, records: () => [] }
  return { baseOffset: offset, lastOffset: offset, ...nothing }
}

function readRecords(batch: Buffer, baseOffset: bigint, attributes: number): readonly ReadRecord[] {
  const count = batch.readInt32BE(at.recordCount)
  const bytes = decompress(attributes & codecMask, batch.subarray(batchHeaderBytes))
  if (count < 0 || count * leastRecordBytes > bytes.length) throw new RangeError(`a record batch of ${count} records`)
  const baseTimestampMs = Number(batch.readBigInt64BE(at.baseTimestamp))
  const appendedMs = Number(batch.readBigInt64BE(at.maxTimestamp))
  const cursor = new Cursor(bytes)
  const records: ReadRecord[] = []
  for (let i = 0; i < count; i++) {
    const end = cursor.length() + cursor.at
    if (end > bytes.length) throw new RangeError('a record that is cut off')
    cursor.skip(1) // attributes
    const timestampDelta = cursor.varint()
    const offset = baseOffset + BigInt(cursor.varint())
    const key = cursor.bytes()
    const value = cursor.bytes()
    if (cursor.at >= end) throw new RangeError('a record without headers')
    const timestampMs = (attributes & logAppendTimeBit) !== 0 ? appendedMs : baseTimestampMs + timestampDelta
    records.push({ offset, timestampMs, key, value, headers: bytes.subarray(cursor.at, end) })
    cursor.at = end
  }
  return records
}

/** Reads zigzag varints and what they measure. Throws a RangeError beyond the end. */
class Cursor {
  at = 0
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Up to 64 bits; exact as far as numbers are. */
  varint(): number {
    let value = 0
    for (let factor = 1, i = 0; i < 10; i++, factor *= 128) {
      const byte = this.#bytes[this.at++]
      if (byte === undefined) throw new RangeError('a number that is cut off')
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    throw new RangeError('a number of more than ten bytes')
  }

  length(): number {
    const length = this.varint()
    if (length < 0) throw new RangeError(`a length of ${length}`)
    return length
  }

  /** A length, -1 for null, and so many bytes. */
  bytes(): Buffer | null {
    const length = this.varint()
    if (length === -1) return null
    const start = this.at
    this.skip(length)
    return this.#bytes.subarray(start, this.at)
  }

  skip(length: number): void {
    if (length < 0 || this.at + length > this.#bytes.length) throw new RangeError('a record that is cut off')
    this.at += length
  }
}
