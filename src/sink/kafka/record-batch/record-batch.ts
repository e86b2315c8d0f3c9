import type { Records } from '../../../record.ts'
import type { BufferPool } from './buffer-pool.ts'
import { type Compression, codecBits, compress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { at, batchHeaderBytes, transactionalBit } from './layout.ts'
import { putBytes, putVarint, putVarlong, varintBytes, varlongBytes } from './varint.ts'

/**
 * One partition's records in the form in which they are sent and stored: a record batch, format v2 (magic 2). Open
 * while records are added, then sealed: from there on its bytes never change, so that they can be sent again.
 */
export class RecordBatch {
  readonly topic: string
  readonly partition: number
  readonly #buffers: BufferPool
  /** undefined: released. */
  #buffer: Buffer | undefined
  #sizeBytes = batchHeaderBytes
  #count = 0
  #baseTimestampMs = 0
  #maxTimestampMs = 0
  #isTransactional = false
  #state: 'open' | 'sealing' | 'sealed' = 'open'
  #bytes: Buffer | undefined

  /** `expectedBytes`: size that it will likely have; from there it grows like any other. */
  constructor(topic: string, partition: number, buffers: BufferPool, expectedBytes = batchHeaderBytes) {
    this.topic = topic
    this.partition = partition
    this.#buffers = buffers
    this.#buffer = buffers.take(Math.max(expectedBytes, batchHeaderBytes))
  }

  /** Records in the batch. */
  get count(): number {
    return this.#count
  }

  /** Size so far, without compression, header included. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The finished batch. Throws before it is sealed and after it is released. */
  get bytes(): Buffer {
    if (this.#bytes === undefined) throw new Error('the record batch has no bytes: not sealed, or released')
    return this.#bytes
  }

  /** true: with record `i` the finished batch has at most `limitBytes`, however well it compresses. */
  fits(records: Records, i: number, limitBytes: number): boolean {
    const recordBytes = this.#recordBytes(records, i)
    return this.#sizeBytes + varintBytes(recordBytes) + recordBytes <= limitBytes
  }

  /** Copies record `i` to the end. Its topic and partition are not looked at. */
  append(records: Records, i: number): void {
    if (this.#state !== 'open') throw new Error('the record batch is sealed')
    const recordBytes = this.#recordBytes(records, i)
    const endBytes = this.#sizeBytes + varintBytes(recordBytes) + recordBytes
    const buffer = this.#reserve(endBytes)
    const timestampMs = records.timestampsMs[i]!
    if (this.#count === 0) this.#baseTimestampMs = this.#maxTimestampMs = timestampMs
    else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs

    const keyStart = records.starts[i]!
    const valueStart = records.valueStarts[i]!
    const headerStart = records.headerStarts[i]!
    const isTombstone = records.tombstones[i] === 1
    let end = putVarint(buffer, this.#sizeBytes, recordBytes)
    buffer[end++] = 0 // Attributes of a record: none are defined.
    end = putVarlong(buffer, end, timestampMs - this.#baseTimestampMs)
    end = putVarint(buffer, end, this.#count)
    end = putVarint(buffer, end, valueStart - keyStart)
    end = putBytes(buffer, end, records.bytes, keyStart, valueStart)
    end = putVarint(buffer, end, isTombstone ? -1 : headerStart - valueStart)
    // The value and the headers, which follow it here as there.
    end = putBytes(buffer, end, records.bytes, isTombstone ? headerStart : valueStart, records.starts[i + 1]!)
    this.#sizeBytes = end
    this.#count += 1
  }

  /**
   * Finishes the batch, once, and resolves to its bytes; at once but for gzip and zstd. What compression would make
   * larger is sent without. Throws when the batch is empty or was sealed before.
   */
  seal(
    producerId: bigint,
    producerEpoch: number,
    baseSequence: number,
    compression: Compression,
    isTransactional = false,
  ): Buffer | Promise<Buffer> {
    const buffer = this.#buffer
    if (this.#state !== 'open' || buffer === undefined) throw new Error('the record batch is sealed or released')
    if (this.#count === 0) throw new Error('the record batch is empty')
    this.#state = 'sealing'
    this.#isTransactional = isTransactional
    this.#putHeader(buffer, producerId, producerEpoch, baseSequence)
    if (compression === 'none') return this.#finish(buffer, 'none', this.#sizeBytes)
    const compressed = compress(compression, buffer.subarray(batchHeaderBytes, this.#sizeBytes))
    if (!(compressed instanceof Promise)) return this.#finishCompressed(buffer, compression, compressed)
    return compressed.then(bytes => this.#finishCompressed(buffer, compression, bytes))
  }

  /**
   * Gives the memory back; idempotent. Only when nothing reads the bytes any more: no write of them is pending and
   * they will not be sent again. While `seal` is at work the memory goes back when it is done; it then resolves to
   * no bytes.
   */
  release(): void {
    const buffer = this.#buffer
    this.#buffer = undefined
    this.#bytes = undefined
    if (buffer !== undefined && this.#state !== 'sealing') this.#buffers.give(buffer)
  }

  /** What follows the length of record `i`. */
  #recordBytes(records: Records, i: number): number {
    const keyStart = records.starts[i]!
    const valueStart = records.valueStarts[i]!
    const headerStart = records.headerStarts[i]!
    const headerBytes = records.starts[i + 1]! - headerStart
    const isTombstone = records.tombstones[i] === 1
    const valueBytes = isTombstone ? 0 : headerStart - valueStart
    const timestampDelta = this.#count === 0 ? 0 : records.timestampsMs[i]! - this.#baseTimestampMs
    return (
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(this.#count) +
      varintBytes(valueStart - keyStart) +
      (valueStart - keyStart) +
      varintBytes(isTombstone ? -1 : valueBytes) +
      valueBytes +
      headerBytes
    )
  }

  /** The buffer, large enough for `sizeBytes`. */
  #reserve(sizeBytes: number): Buffer {
    const buffer = this.#buffer
    if (buffer === undefined) throw new Error('the record batch is released')
    if (sizeBytes <= buffer.length) return buffer
    const larger = this.#buffers.take(Math.max(sizeBytes, 2 * buffer.length))
    buffer.copy(larger, batchHeaderBytes, batchHeaderBytes, this.#sizeBytes)
    this.#buffers.give(buffer)
    this.#buffer = larger
    return larger
  }

  #putHeader(buffer: Buffer, producerId: bigint, producerEpoch: number, baseSequence: number): void {
    buffer.writeBigInt64BE(0n, at.baseOffset)
    buffer.writeInt32BE(-1, at.partitionLeaderEpoch) // The broker's to set.
    buffer[at.magic] = 2
    buffer.writeInt32BE(this.#count - 1, at.lastOffsetDelta)
    buffer.writeBigInt64BE(BigInt(this.#baseTimestampMs), at.baseTimestamp)
    buffer.writeBigInt64BE(BigInt(this.#maxTimestampMs), at.maxTimestamp)
    buffer.writeBigInt64BE(producerId, at.producerId)
    buffer.writeInt16BE(producerEpoch, at.producerEpoch)
    buffer.writeInt32BE(baseSequence, at.baseSequence)
    buffer.writeInt32BE(this.#count, at.recordCount)
  }

  #finishCompressed(buffer: Buffer, compression: Compression, compressed: Buffer): Buffer {
    const sizeBytes = batchHeaderBytes + compressed.length
    if (sizeBytes >= this.#sizeBytes) return this.#finish(buffer, 'none', this.#sizeBytes)
    const smaller = this.#buffers.take(sizeBytes)
    buffer.copy(smaller, 0, 0, batchHeaderBytes)
    compressed.copy(smaller, batchHeaderBytes)
    this.#buffers.give(buffer)
    return this.#finish(smaller, compression, sizeBytes)
  }

  /** What depends on the compressed size: length, codec and, last, the checksum over all that follows it. */
  #finish(buffer: Buffer, compression: Compression, sizeBytes: number): Buffer {
    this.#state = 'sealed'
    if (this.#buffer === undefined) {
      this.#buffers.give(buffer)
      return Buffer.alloc(0)
    }
    buffer.writeInt32BE(sizeBytes - at.partitionLeaderEpoch, at.batchLength)
    buffer.writeInt16BE(codecBits[compression] | (this.#isTransactional ? transactionalBit : 0), at.attributes)
    buffer.writeUInt32BE(crc32c(buffer, at.attributes, sizeBytes), at.crc)
    this.#buffer = buffer
    this.#bytes = buffer.subarray(0, sizeBytes)
    return this.#bytes
  }
}
