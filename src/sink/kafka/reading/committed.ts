import type { AbortedTransaction } from '../protocol/fetch.ts'
import type { ReadBatch } from './record-batches.ts'

/** The key of a control record: version, then the type. */
const typeAt = 2
const abortType = 0

/**
 * Those batches that hold records of no or of a committed transaction, in order. `aborted` as the broker says for this
 * answer: a transaction of a producer from its first offset to that producer's next abort marker. Throws a RangeError
 * at a malformed control batch.
 * Source: https://cwiki.apache.org/confluence/display/KAFKA/KIP-98 and the Java client's CompletedFetch.
 */
export function* committedOf(
  batches: Iterable<ReadBatch>,
  aborted: readonly AbortedTransaction[],
): Generator<ReadBatch> {
  const upcoming = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  const producers = new Set<bigint>()
  for (const batch of batches) {
    while (upcoming[0] !== undefined && upcoming[0].firstOffset <= batch.lastOffset) {
      producers.add(upcoming.shift()!.producerId)
    }
    if (batch.isControl) {
      if (isAbort(batch)) producers.delete(batch.producerId)
    } else if (!batch.isTransactional || !producers.has(batch.producerId)) yield batch
  }
}

/** Compaction may leave a control batch without its record: then the transaction it ended has none either. */
function isAbort(batch: ReadBatch): boolean {
  const [record] = batch.records()
  if (record === undefined) return false
  if (record.key === null || record.key.length < typeAt + 2) throw new RangeError('a control record without type')
  return record.key.readInt16BE(typeAt) === abortType
}
