import type { OutRecord } from '../../record.ts'

/** One caller's part of a batch. */
export interface Share<Caller> {
  readonly caller: Caller
  readonly records: number
}

/** What goes into one produce request. Records keep the order in which they were added. */
export interface Batch<Caller> {
  readonly topics: ReadonlyMap<string, readonly OutRecord[]>
  readonly records: number
  /** Upper bound of the finished request. */
  readonly bytes: number
  readonly shares: readonly Share<Caller>[]
}

export interface BatchLimits {
  /** Finished request, overhead included. */
  readonly requestBytes: number
  readonly requestRecords: number
  /** Finished record batch of one partition of `topic`. */
  readonly partitionBytes: (topic: string) => number
}

const requestOverheadBytes = 256 // Header, client id, acks, timeout.
const topicOverheadBytes = 8
/** Partition number and size, and the header of a record batch v2 (61 bytes). */
export const partitionOverheadBytes = 72

/** Upper bound of one record inside of a record batch v2: every length and delta as its longest varint. */
export function recordSizeBytes(record: Pick<OutRecord, 'key' | 'value' | 'headers'>): number {
  let size = 36 + record.key.length + (record.value?.length ?? 0)
  for (const [name, value] of Object.entries(record.headers)) {
    size += 10 + Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  return size
}

interface Pending<Caller> {
  readonly caller: Caller
  readonly records: readonly OutRecord[]
  readonly sizes: Uint32Array
  next: number
}

/** Queue of records that leaves in batches: the first come first, as many as fit, whoever sent them. Pure. */
export class Batcher<Caller> {
  readonly #limits: BatchLimits
  readonly #queue: Pending<Caller>[] = []
  #queuedBytes = 0
  #queuedRecords = 0

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** true once waiting for more would not make the next batch larger. */
  get isFull(): boolean {
    return this.#queuedBytes >= this.#limits.requestBytes || this.#queuedRecords >= this.#limits.requestRecords
  }

  add(caller: Caller, records: readonly OutRecord[]): void {
    const sizes = Uint32Array.from(records, recordSizeBytes)
    for (const size of sizes) this.#queuedBytes += size
    this.#queuedRecords += records.length
    this.#queue.push({ caller, records, sizes, next: 0 })
  }

  /** The next batch; undefined when nothing is queued. A record over the limits is a batch of its own. */
  take(): Batch<Caller> | undefined {
    if (this.#queue.length === 0) return undefined
    const builder = new BatchBuilder(this.#limits)
    const shares: Share<Caller>[] = []
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const from = head.next
      while (head.next < head.records.length && builder.tryAdd(head.records[head.next]!, head.sizes[head.next]!)) {
        this.#queuedBytes -= head.sizes[head.next]!
        head.next += 1
      }
      if (head.next > from) shares.push({ caller: head.caller, records: head.next - from })
      if (head.next < head.records.length) break
      this.#queue.shift()
    }
    this.#queuedRecords -= builder.records
    return { topics: builder.topics, records: builder.records, bytes: builder.bytes, shares }
  }

  /** Forgets what is queued and says whose it was. */
  clear(): Caller[] {
    const callers = this.#queue.map(({ caller }) => caller)
    this.#queue.length = 0
    this.#queuedBytes = 0
    this.#queuedRecords = 0
    return callers
  }
}

/** A batch while it grows. */
class BatchBuilder {
  readonly topics = new Map<string, OutRecord[]>()
  records = 0
  bytes = requestOverheadBytes
  readonly #limits: BatchLimits
  readonly #partitions = new Map<string, Map<number, number>>()
  #closed = false

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  /** false: `record` must wait for the next batch. */
  tryAdd(record: OutRecord, size: number): boolean {
    if (this.#closed || this.records >= this.#limits.requestRecords) return false
    const { topic, partition } = record
    const partitions = this.#partitions.get(topic)
    const partitionBytes = (partitions?.get(partition) ?? partitionOverheadBytes) + size
    const added =
      size +
      (partitions?.has(partition) ? 0 : partitionOverheadBytes) +
      (partitions === undefined ? topicOverheadBytes + topic.length : 0)
    const fits = this.bytes + added <= this.#limits.requestBytes && partitionBytes <= this.#limits.partitionBytes(topic)
    if (!fits && this.records > 0) return false
    // Alone in its request: should the broker refuse it, there is no doubt which record is too large.
    if (!fits) this.#closed = true
    this.#put(record, partitionBytes)
    this.bytes += added
    return true
  }

  #put(record: OutRecord, partitionBytes: number): void {
    const { topic, partition } = record
    const partitions = this.#partitions.get(topic) ?? new Map<number, number>()
    const records = this.topics.get(topic) ?? []
    if (records.length === 0) {
      this.#partitions.set(topic, partitions)
      this.topics.set(topic, records)
    }
    partitions.set(partition, partitionBytes)
    records.push(record)
    this.records += 1
  }
}
