import { findHeader } from '../../../record-headers.ts'
import { readWoven } from '../../woven.ts'
import type { PartitionReader } from './partition-reader.ts'
import type { ReadRecord } from './record-batches.ts'
import { Turns } from './turns.ts'

/** Partitions that are asked or read at the same time, by all pipelines and slots of the target. */
const partitionsAtOnce = 8
const sourceName = Buffer.from('m2k.source')
const positionName = Buffer.from('m2k.position')

/** The position that a record itself tells, as a view; undefined where it is not one of `source`. */
type PositionOf = (record: ReadRecord, source: Buffer) => Buffer | undefined

/**
 * Reads back what a target without transactions has taken after a checkpoint (design decision 10). Records of others
 * among ours are passed over, and what retention has removed is missed by nobody. Throws the Faults of the reader.
 *
 * Where the target refuses headers the values tell, and null values tell nothing. Those before the highest position are
 * covered by it, and those behind it are sent again: of their documents nothing of ours stands behind them, so whoever
 * reads them twice ends as who reads them once. To take a null value for ours because it follows our delete of the same
 * key would be wrong where another pipeline writes the same keys: ours would then never be sent.
 */
export class Tails {
  readonly #reader: Pick<PartitionReader, 'offset' | 'readPartition'>
  readonly #positionOf: PositionOf
  readonly #turns = new Turns(partitionsAtOnce)

  /** `headers`: whether the target keeps them; else the position is in the value. */
  constructor(reader: Pick<PartitionReader, 'offset' | 'readPartition'>, headers: boolean) {
    this.#reader = reader
    this.#positionOf = headers ? positionInHeaders : positionInValue
  }

  /** The end of each of the first `count` partitions of `topic`: what comes later has at least this offset. */
  async ends(topic: string, count: number, signal: AbortSignal): Promise<readonly number[]> {
    const partitions = Array.from({ length: count }, (_, partition) => partition)
    return await this.#eachOf(partitions, signal, async (partition, _, either) =>
      Number(await this.#reader.offset(topic, partition, 'latest', either)),
    )
  }

  /**
   * The highest position of the records of `source` (`deployment/pipeline/slot`) in each partition, from its
   * offset in `from` to its end; undefined where there is none.
   */
  async highest(
    topic: string,
    from: readonly number[],
    source: string,
    signal: AbortSignal,
  ): Promise<readonly (Buffer | undefined)[]> {
    const own = Buffer.from(source)
    return await this.#eachOf(from, signal, (offset, partition, either) =>
      this.#highestIn(topic, partition, offset, own, either),
    )
  }

  /** The results in the order of the items. The first error ends the others, and is told when all have ended. */
  async #eachOf<T, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (item: T, index: number, either: AbortSignal) => Promise<R>,
  ): Promise<readonly R[]> {
    const failed = new AbortController()
    const either = AbortSignal.any([signal, failed.signal])
    const one = async (item: T, index: number): Promise<R> => {
      try {
        either.throwIfAborted()
        return await work(item, index, either)
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }
    const results = await Promise.allSettled(items.map((item, index) => this.#turns.take(() => one(item, index))))
    signal.throwIfAborted()
    failed.signal.throwIfAborted()
    return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
  }

  async #highestIn(
    topic: string,
    partition: number,
    from: number,
    source: Buffer,
    signal: AbortSignal,
  ): Promise<Buffer | undefined> {
    let highest: Buffer | undefined
    // Uncommitted: this target knows no transactions, or it would not be read back.
    const options = { isolation: 'read_uncommitted' } as const
    for await (const records of this.#reader.readPartition(topic, partition, BigInt(from), options, signal)) {
      for (const record of records) {
        const position = this.#positionOf(record, source)
        if (position !== undefined && (highest === undefined || position.compare(highest) > 0)) highest = position
      }
      if (highest !== undefined) highest = Buffer.from(highest) // Not a view on the batch.
    }
    return highest
  }
}

function positionInHeaders({ headers }: ReadRecord, source: Buffer): Buffer | undefined {
  const ofRecord = findHeader(headers, 0, headers.length, sourceName)
  if (ofRecord === undefined || !ofRecord.equals(source)) return undefined
  return findHeader(headers, 0, headers.length, positionName)
}

function positionInValue({ value }: ReadRecord, source: Buffer): Buffer | undefined {
  const woven = value === null ? undefined : readWoven(value)
  return woven?.source === source.toString() ? woven.position : undefined
}
