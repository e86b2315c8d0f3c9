import type { KafkaAccess } from './kafka-connection.ts'
import type { KafkaWriter } from './kafka-writer.ts'

/** A record that is written once for good. They all lie in partition 0. */
export interface OnceRecord {
  readonly key: string
  readonly bytes: Buffer
}

export interface OnceFound {
  readonly bytes: Buffer
  /** `topic-partition@offset`, for messages. */
  readonly where: string
}

const partition = 0

/**
 * The first record of the proposed key that was ever written; where there is none, the proposed one is. Of several that
 * are written at once the one that lies first holds, for everybody, and stays: compaction keeps the last of a key, so
 * whoever comes second writes the first one again. What lies before ours is read up to the offset that its acknowledgement
 * names: a broker that believes to lead, and does not, cannot hide it. Throws Faults of the reader and the writer.
 */
export async function writeOnce(
  access: KafkaAccess,
  writer: KafkaWriter,
  topic: string,
  proposed: OnceRecord,
  signal: AbortSignal,
): Promise<OnceFound> {
  const before = await firstOf(access, topic, proposed.key, signal)
  if (before !== undefined) return before
  const last = await writer.write([{ ...proposed, partition }], signal)
  const first = await firstOf(access, topic, proposed.key, signal, BigInt(last.get(partition)!) + 1n)
  if (first === undefined) return { bytes: proposed.bytes, where: `${topic}-${partition}` }
  if (!first.bytes.equals(proposed.bytes)) {
    await writer.write([{ key: proposed.key, partition, bytes: first.bytes }], signal)
  }
  return first
}

/** Whether the transaction of a neighbour is settled does not matter: these records are in none. */
async function firstOf(
  { reader }: KafkaAccess,
  topic: string,
  wanted: string,
  signal: AbortSignal,
  until?: bigint,
): Promise<OnceFound | undefined> {
  let first: OnceFound | undefined
  const options = { isolation: 'read_uncommitted', ...(until !== undefined && { until }) } as const
  for await (const records of reader.readPartition(topic, partition, 0n, options, signal)) {
    for (const { offset, key, value } of records) {
      if (key === null || String(key) !== wanted) continue
      if (value === null)
        first = undefined // Removed by a person: the next one is the first.
      else first ??= { bytes: Buffer.from(value), where: `${topic}-${partition}@${offset}` }
    }
  }
  return first
}
