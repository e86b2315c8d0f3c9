import type { OplogRate } from '../source/source.ts'

/** Of what a partition takes, what it is given: see src/sink/kafka/pacing.ts. */
const share = 0.9

export interface PartitionOrder {
  readonly text: string
  /** The configured partitions are too few for all that MongoDB writes. */
  readonly isTooFew: boolean
}

/**
 * Compares what MongoDB was measured to write with the partitions of the pipelines, for targets whose partitions take
 * only so much. The oplog holds other collections too, and records are larger than its entries where documents are
 * looked up: it is where to begin, and what is sent is measured from then on.
 */
export function partitionOrder(
  rate: OplogRate | undefined,
  partitionBytesPerSecond: number,
  pipelines: readonly { readonly name: string; readonly partitions: number | undefined }[],
): PartitionOrder {
  const perPartition = share * partitionBytesPerSecond
  const takes = `a partition takes ${megabytes(perPartition)}`
  if (rate === undefined) {
    const text = `${takes}; the oplog cannot be measured, so order partitions for the highest rate that you know of`
    return { text, isTooFew: false }
  }
  const { averageBytesPerSecond, peakBytesPerSecond, stretches, windowMs } = rate
  const peak = Math.max(averageBytesPerSecond, peakBytesPerSecond ?? 0)
  const needed = Math.max(1, Math.ceil(peak / perPartition))
  const known = pipelines.filter(({ partitions }) => partitions !== undefined)
  const configured = known.reduce((sum, { partitions = 0 }) => sum + partitions, 0)
  const had = known.length === 0 ? 'the pipelines name no partitions' : `the pipelines name ${configured}`
  const busiest =
    peakBytesPerSecond === undefined
      ? ''
      : `, and ${megabytes(peakBytesPerSecond)} in the busiest ten seconds of the last minute and of ${stretches} samples before it`
  const measured = `MongoDB wrote ${megabytes(averageBytesPerSecond)} on average over the ${hours(windowMs)} of its oplog${busiest}`
  const text = `${measured}; ${takes}: order at least ${needed} in all if everything goes here; ${had}`
  return { text, isTooFew: known.length === pipelines.length && configured < needed }
}

function megabytes(bytesPerSecond: number): string {
  return `${Math.round(bytesPerSecond / 10_000) / 100} MB/s`
}

function hours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} hours`
}
