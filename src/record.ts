/** Record headers by name. Values are UTF-8 text, or bytes where a header is compared as bytes. */
export type Headers = Readonly<Record<string, string | Buffer>>

/** One change as bytes, before its topic and partition are known. */
export interface EncodedRecord {
  readonly key: Buffer
  /** murmur2 of `key` as the Java client computes it, made positive: the partition is this modulo the count. */
  readonly keyHash: number
  /** null is a tombstone. */
  readonly value: Buffer | null
  readonly headers: Headers
  /** Wall-clock time of the change, milliseconds since the Unix epoch. */
  readonly timestampMs: number
}

/** One record with its place in the target. */
export interface OutRecord {
  readonly topic: string
  readonly partition: number
  readonly key: Buffer
  readonly value: Buffer | null
  readonly headers: Headers
  readonly timestampMs: number
}

/** Bytes a record is counted with in the window: what it carries, headers included, and a flat overhead. */
export function recordBytes(record: Pick<OutRecord, 'key' | 'value' | 'headers'>): number {
  let headerBytes = 0
  for (const name in record.headers) headerBytes += name.length + (record.headers[name]?.length ?? 0)
  return record.key.length + (record.value?.length ?? 0) + headerBytes + 96
}
