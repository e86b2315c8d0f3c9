import { untilAborted } from '../deadline.ts'
import type { StoredRecord, StoreReader } from './kafka-connection.ts'

/** What is stored under one key and where it lies. */
export interface Stored {
  readonly bytes: Buffer
  /** `topic-partition@offset`, for messages. */
  readonly where: string
}

interface Seen {
  readonly stored: Stored
  readonly epoch: number
}

/** One slot's partition of the checkpoint topic, as far as it has been read. */
export class KafkaSlot {
  readonly #reader: StoreReader
  readonly #topic: string
  readonly #partition: number
  readonly #disposed: AbortSignal
  #reading: Promise<ReadonlyMap<string, Seen>> | undefined
  #waiting: Promise<ReadonlyMap<string, Seen>> | undefined
  /** Highest epoch by key, of all that is before `#seenUntil`. */
  readonly #epochs = new Map<string, number>()
  #seenUntil = 0n

  constructor(reader: StoreReader, topic: string, partition: number, disposed: AbortSignal) {
    this.#reader = reader
    this.#topic = topic
    this.#partition = partition
    this.#disposed = disposed
  }

  /**
   * What is stored under `key` now. Read anew, from the beginning; calls that come while a read is under way share the
   * next one. A save of an earlier epoch that arrived late does not count.
   */
  async load(key: string, signal: AbortSignal): Promise<Stored | undefined> {
    signal.throwIfAborted()
    const latest = await untilAborted(this.#readAnew(), signal)
    return latest.get(key)?.stored
  }

  /** The highest epoch under `key` in what has been read or written: call `catchUp` before. */
  epochOf(key: string): number {
    return this.#epochs.get(key) ?? 0
  }

  /** Looks at what others have added, whether its transaction is settled or not: an epoch that begins is a fact. */
  async catchUp(signal: AbortSignal): Promise<void> {
    for await (const records of this.#read('read_uncommitted', this.#seenUntil, signal)) {
      for (const { offset, key, value } of records) {
        if (key !== null) this.#see(String(key), value)
        if (offset >= this.#seenUntil) this.#seenUntil = offset + 1n
      }
    }
  }

  /**
   * Takes note of `count` records of ours, written up to `lastOffset`. false: others have written in between, or may
   * have, and `catchUp` is due.
   */
  wrote(lastOffset: bigint, count: number): boolean {
    if (lastOffset - BigInt(count) + 1n !== this.#seenUntil) return false
    this.#seenUntil = lastOffset + 1n
    return true
  }

  #readAnew(): Promise<ReadonlyMap<string, Seen>> {
    if (this.#reading === undefined) {
      this.#reading = this.#readAll().finally(() => {
        this.#reading = undefined
      })
      return this.#reading
    }
    this.#waiting ??= this.#reading
      .catch(() => {}) // Its callers have heard of it.
      .then(() => {
        this.#waiting = undefined
        return this.#readAnew()
      })
    return this.#waiting
  }

  async #readAll(): Promise<ReadonlyMap<string, Seen>> {
    const latest = new Map<string, Seen>()
    for await (const records of this.#read('read_committed', 0n, this.#disposed)) {
      for (const { offset, key, value } of records) {
        if (key === null) continue
        const name = String(key)
        const epoch = value === null ? 0 : epochIn(value)
        const where = `${this.#topic}-${this.#partition}@${offset}`
        if (value === null) latest.delete(name)
        else if (!(epoch < (latest.get(name)?.epoch ?? 0))) latest.set(name, { stored: { bytes: value, where }, epoch })
      }
    }
    return latest
  }

  #see(key: string, value: Buffer | null): void {
    if (value === null)
      this.#epochs.delete(key) // Removed by a person: what comes next begins anew.
    else this.#epochs.set(key, Math.max(this.epochOf(key), epochIn(value) || 0))
  }

  #read(
    isolation: 'read_committed' | 'read_uncommitted',
    from: bigint,
    signal: AbortSignal,
  ): AsyncIterable<readonly StoredRecord[]> {
    return this.#reader.readPartition(this.#topic, this.#partition, from, { isolation }, signal)
  }
}

const epochName = Buffer.from('"epoch":')
const digits = 16

/**
 * The epoch of a stored checkpoint without parsing it, of which there may be tens of thousands; NaN where it has none.
 * In JSON the name cannot be part of a text, whose quotation marks are escaped.
 */
function epochIn(value: Buffer): number {
  const at = value.indexOf(epochName)
  if (at < 0) return Number.NaN
  const start = at + epochName.length
  return Number.parseInt(value.toString('latin1', start, start + digits), 10)
}
