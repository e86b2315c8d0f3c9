import type { Records } from '../record.ts'

/** A copy of `records` without those at the indexes in `left`, in memory of its own. */
export function withoutRecords(records: Records, left: ReadonlySet<number>): Records {
  const kept: number[] = []
  let size = 0
  for (let i = 0; i < records.count; i++) {
    if (left.has(i)) continue
    kept.push(i)
    size += records.starts[i + 1]! - records.starts[i]!
  }
  const bytes = Buffer.allocUnsafe(size)
  const starts = new Int32Array(kept.length + 1)
  const from = Int32Array.from(kept)
  kept.forEach((i, k) => {
    const copied = records.bytes.copy(bytes, starts[k]!, records.starts[i]!, records.starts[i + 1]!)
    starts[k + 1] = starts[k]! + copied
  })
  const moved = (column: Int32Array) => from.map((i, k) => column[i]! - records.starts[i]! + starts[k]!)
  return {
    count: kept.length,
    bytes,
    starts,
    valueStarts: moved(records.valueStarts),
    headerStarts: moved(records.headerStarts),
    tombstones: Uint8Array.from(kept, i => records.tombstones[i]!),
    timestampsMs: Float64Array.from(kept, i => records.timestampsMs[i]!),
    topics: kept.map(i => records.topics[i]!),
    partitions: from.map(i => records.partitions[i]!),
  }
}
