import { untilAborted } from '../deadline.ts'
import type { StoredRecord, StoreReader, StoreReadOptions } from './kafka-connection.ts'

/** No checkpoint's key: it names no slot. */
const markKey = 'mark'

/**
 * How far a load reads. `mark`: to a record of its own, written first, which lies behind all that was acknowledged. A
 * broker that was frozen and has just woken up would name an older high watermark, as if it still led, and what was
 * committed since would be repeated (G4). `high watermark`: for who must not write.
 */
export type LoadsUpTo = 'mark' | 'high watermark'

export interface KafkaSlotOptions {
  readonly reader: StoreReader
  readonly topic: string
  readonly partition: number
  readonly loadsUpTo: LoadsUpTo
  readonly disposed: AbortSignal
}

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
  readonly #options: KafkaSlotOptions
  #reading: Promise<ReadonlyMap<string, Seen>> | undefined
  #waiting: Promise<ReadonlyMap<string, Seen>> | undefined
  /** Highest epoch by key, of all that is before `#seenUntil`. */
  readonly #epochs = new Map<string, number>()
  #seenUntil = 0n

  constructor(options: KafkaSlotOptions) {
    this.#options = options
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

  /**
   * Looks at what others have added, whether its transaction is settled or not: an epoch that begins is a fact. Up to
   * the high watermark, or before `until`.
   */
  async catchUp(signal: AbortSignal, until?: bigint): Promise<void> {
    const options = { isolation: 'read_uncommitted', ...(until !== undefined && { until }) } as const
    for await (const records of this.#read(this.#seenUntil, options, signal)) {
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

  /** Whoever shares it has fenced its predecessor before it began: what that one had acknowledged lies before the mark. */
  async #readAll(): Promise<ReadonlyMap<string, Seen>> {
    const { reader, topic, partition, loadsUpTo, disposed } = this.#options
    const latest = new Map<string, Seen>()
    const until = loadsUpTo === 'mark' ? await reader.mark(topic, partition, markKey, disposed) : undefined
    const options = { isolation: 'read_committed', ...(until !== undefined && { until }) } as const
    for await (const records of this.#read(0n, options, disposed)) {
      for (const { offset, key, value } of records) {
        if (key === null) continue
        const name = String(key)
        const epoch = value === null ? 0 : epochIn(value)
        const where = `${topic}-${partition}@${offset}`
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

  #read(from: bigint, options: StoreReadOptions, signal: AbortSignal): AsyncIterable<readonly StoredRecord[]> {
    const { reader, topic, partition } = this.#options
    return reader.readPartition(topic, partition, from, options, signal)
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
