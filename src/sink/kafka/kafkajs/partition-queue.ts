import type { OutRecord } from '../../../record.ts'

/** Number of the partition and size of its batch in a request, and the header of a record batch v2 (61 bytes). */
export const batchOverheadBytes = 72

/** Upper bound of one record inside of a record batch v2: every length and delta as its longest varint. */
export function recordSizeBytes(record: Pick<OutRecord, 'key' | 'value' | 'headers'>): number {
  let size = 36 + record.key.length + (record.value?.length ?? 0)
  for (const [name, value] of Object.entries(record.headers)) {
    size += 10 + Buffer.byteLength(name) + Buffer.byteLength(value)
  }
  return size
}

export interface Queued<Caller> {
  readonly record: OutRecord
  readonly sizeBytes: number
  /** Who waits for the record. */
  readonly caller: Caller
}

/** The next records of one partition, for one send. */
export interface Batch<Caller> {
  readonly queued: readonly Queued<Caller>[]
  /** Upper bound of the finished record batch. */
  readonly bytes: number
}

/** Records of one partition that wait for their send, of which one at a time is outstanding. */
export class PartitionQueue<Caller> {
  readonly topic: string
  readonly partition: number
  /** A send of this partition is outstanding: the next has to wait. */
  isSending = false
  /** Records sent with the present producer. */
  sentRecords = 0
  readonly #queued: Queued<Caller>[] = []

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get isEmpty(): boolean {
    return this.#queued.length === 0
  }

  push(queued: Queued<Caller>): void {
    this.#queued.push(queued)
  }

  /** As many as fit, at least one: alone in its batch, there is no doubt which record is too large. */
  take(limitBytes: number, limitRecords: number): Batch<Caller> {
    let bytes = batchOverheadBytes
    let count = 0
    for (const { sizeBytes } of this.#queued) {
      if (count === limitRecords || (count > 0 && bytes + sizeBytes > limitBytes)) break
      bytes += sizeBytes
      count += 1
    }
    return { queued: this.#queued.splice(0, count), bytes }
  }
}
