/** Record headers by name. Values are UTF-8 text, or bytes where a header is compared as bytes. */
export type Headers = Readonly<Record<string, string | Buffer>>

/** One record with its place in the target: for people, tests and clients that want objects. */
export interface OutRecord {
  readonly topic: string
  readonly partition: number
  readonly key: Buffer
  /** null is a tombstone. */
  readonly value: Buffer | null
  readonly headers: Headers
  readonly timestampMs: number
}

/**
 * Records as columns over one buffer, in the order of the stream: record i has the key `bytes[starts[i],
 * valueStarts[i])`, the value `bytes[valueStarts[i], headerStarts[i])` and the headers `bytes[headerStarts[i],
 * starts[i + 1])`. The headers are as a Kafka record holds them (record-headers.ts).
 *
 * The buffer and the columns are used again for the next batch: who needs a record for longer than the call that it
 * was given to copies it. No object is made of a record on its way to Kafka.
 */
export interface Records {
  readonly count: number
  readonly bytes: Buffer
  readonly starts: Int32Array
  readonly valueStarts: Int32Array
  readonly headerStarts: Int32Array
  /** 1: a tombstone, whose value is null and not empty. */
  readonly tombstones: Uint8Array
  /** Wall-clock time of the change, milliseconds since the Unix epoch. */
  readonly timestampsMs: Float64Array
  /** The same few strings again and again. */
  readonly topics: readonly string[]
  readonly partitions: Int32Array
}

/** Flat overhead that a record is counted with in the window, beside its bytes. */
const overheadBytes = 96

/** Bytes that `records` are counted with in the window: what they carry, headers included, and a flat overhead each. */
export function windowBytes({ starts, count }: Pick<Records, 'starts' | 'count'>): number {
  return count === 0 ? 0 : starts[count]! - starts[0]! + count * overheadBytes
}
