import { ByteWriter } from '../bson/writer.ts'
import type { EncodedBlock } from './encode.ts'

const initialRecords = 64
const initialBytes = 16 << 10

/**
 * Records while they are written: `out` takes the key, the value and the headers of one record after the other, and
 * the calls between them mark where each ends. Used again and again; it grows to the largest batch and no further.
 */
export class RecordBlock implements EncodedBlock {
  readonly out = new ByteWriter(initialBytes)
  count = 0
  /** murmur2 of the key as the Java client computes it, made positive: the partition is this modulo the count. */
  keyHashes = new Int32Array(initialRecords)
  starts = new Int32Array(initialRecords + 1)
  valueStarts = new Int32Array(initialRecords)
  headerStarts = new Int32Array(initialRecords)
  tombstones = new Uint8Array(initialRecords)
  timestampsMs = new Float64Array(initialRecords)
  partitions = new Int32Array(initialRecords)
  readonly topics: string[] = []
  readonly #giveBack: (block: RecordBlock) => void

  constructor(giveBack: (block: RecordBlock) => void) {
    this.#giveBack = giveBack
  }

  get bytes(): Buffer {
    return this.out.bytes
  }

  /** The key of the next record is what was written since the last one. */
  endKey(keyHash: number): void {
    if (this.count === this.keyHashes.length) this.#grow()
    this.keyHashes[this.count] = keyHash
    this.valueStarts[this.count] = this.out.length
  }

  endValue(isTombstone: boolean): void {
    this.tombstones[this.count] = isTombstone ? 1 : 0
    this.headerStarts[this.count] = this.out.length
  }

  /** The record is whole; its place is still to be given. */
  endRecord(timestampMs: number): void {
    this.timestampsMs[this.count] = timestampMs
    this.count += 1
    this.starts[this.count] = this.out.length
  }

  place(i: number, topic: string, partitionCount: number): void {
    this.topics[i] = topic
    this.partitions[i] = this.keyHashes[i]! % partitionCount
  }

  cut(count: number): void {
    this.count = count
    this.out.length = this.starts[count]!
  }

  release(): void {
    this.out.reset()
    this.count = 0 // The topics stay: an array that is cut to nothing would grow again with every batch.
    this.#giveBack(this)
  }

  #grow(): void {
    const size = 2 * this.keyHashes.length
    this.keyHashes = grown(this.keyHashes, new Int32Array(size))
    this.starts = grown(this.starts, new Int32Array(size + 1))
    this.valueStarts = grown(this.valueStarts, new Int32Array(size))
    this.headerStarts = grown(this.headerStarts, new Int32Array(size))
    this.tombstones = grown(this.tombstones, new Uint8Array(size))
    this.timestampsMs = grown(this.timestampsMs, new Float64Array(size))
    this.partitions = grown(this.partitions, new Int32Array(size))
  }
}

type Column = Int32Array<ArrayBuffer> | Uint8Array<ArrayBuffer> | Float64Array<ArrayBuffer>

function grown<T extends Column>(column: T, larger: T): T {
  larger.set(column)
  return larger
}

/**
 * Blocks for all pipelines of a worker. A hundred pipelines hold theirs at the same moment, with a few records each;
 * one alone has a single block of some megabytes. So bytes are counted, not blocks; and what has idled longest goes
 * first, or blocks that a burst made large would leave no room for the many small ones after it.
 */
export class RecordBlocks {
  readonly #idle: RecordBlock[] = []
  readonly #limitBytes: number
  #idleBytes = 0
  readonly #giveBack = (block: RecordBlock): void => {
    this.#idle.push(block)
    this.#idleBytes += block.bytes.length
    while (this.#idleBytes > this.#limitBytes) this.#idleBytes -= this.#idle.shift()!.bytes.length
  }

  /** Keeps idle blocks of at most `limitBytes`. */
  constructor(limitBytes = 16 << 20) {
    this.#limitBytes = limitBytes
  }

  take(): RecordBlock {
    const block = this.#idle.pop()
    if (block === undefined) return new RecordBlock(this.#giveBack)
    this.#idleBytes -= block.bytes.length
    return block
  }
}
