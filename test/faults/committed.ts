import type { FetchedPartition, FetchedRecord } from './fetch-connection.ts'

const abortMarker = 0

/**
 * The records of a fetched partition that a read-committed consumer may see. kafkajs's own filter takes up one aborted
 * transaction a record, and lets one through where two had begun before the fetched offset.
 */
export function committed(fetched: FetchedPartition, fromOffset: number): FetchedRecord[] {
  const waiting = fetched.abortedTransactions.toSorted((a, b) => Number(a.firstOffset) - Number(b.firstOffset))
  const aborted = new Set<string>()
  const visible: FetchedRecord[] = []
  for (const record of fetched.messages) {
    const { producerId, inTransaction } = record.batchContext
    while (waiting.length > 0 && Number(waiting[0]!.firstOffset) <= Number(record.offset)) {
      aborted.add(waiting.shift()!.producerId)
    }
    if (record.isControlRecord) {
      if (record.key?.readInt16BE(2) === abortMarker) aborted.delete(producerId)
    } else if (Number(record.offset) >= fromOffset && !(inTransaction && aborted.has(producerId))) {
      visible.push(record)
    }
  }
  return visible
}

/** Where to fetch next; control records and whole batches of aborted ones take offsets too. */
export function nextOffset(fetched: FetchedPartition, fromOffset: number): number {
  const last = fetched.messages.at(-1)
  if (last === undefined) return fromOffset
  const { firstOffset, lastOffsetDelta } = last.batchContext
  return Math.max(fromOffset, Number(firstOffset) + lastOffsetDelta + 1)
}
