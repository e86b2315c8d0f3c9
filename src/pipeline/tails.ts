import type { Ends } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import type { Position } from '../position.ts'
import type { Records } from '../record.ts'
import { findHeader } from '../record-headers.ts'
import type { Delivery, PreparedBatch } from './pipeline.ts'
import type { Saver } from './saver.ts'
import { withoutRecords } from './without-records.ts'

/** Reads a target back that has no transactions. */
export interface TailReader {
  /** The end of each of the first `count` partitions of `topic`: what comes later has at least this offset. */
  ends(topic: string, count: number, signal: AbortSignal): Promise<readonly number[]>
  /** The highest `m2k.position` of records of `source` in each partition, from its offset in `from` to its end. */
  highest(
    topic: string,
    from: readonly number[],
    source: string,
    signal: AbortSignal,
  ): Promise<readonly (Buffer | undefined)[]>
}

/**
 * Reads a target back that picks the partitions itself, and where a record that is sent again may stand behind later
 * ones of other keys: what is there is known record by record.
 */
export interface PresenceReader extends Pick<TailReader, 'ends'> {
  /** Each `m2k.position`, as Latin-1 text, of records of `source` from the offsets in `from` to the ends. */
  present(topic: string, from: readonly number[], source: string, signal: AbortSignal): Promise<ReadonlySet<string>>
}

export interface TailsOptions {
  readonly reader: TailReader | PresenceReader
  /** `deployment/pipeline/slot`, as header `m2k.source` has it. */
  readonly source: string
  /** Of the loaded checkpoint. */
  readonly ends: Ends
  /** Of the loaded checkpoint: topics without ends were used before ends were kept, and are read from their beginning. */
  readonly partitions: Readonly<Record<string, number>>
  readonly clock: Pick<Clock, 'nowMs'>
  /** Told once a call of `fresh` of how many records it has left out. */
  readonly onDuplicates: (count: number) => void
}

/** Least time between two questions for ends, which are one for each partition in use. */
const askIntervalMs = 1_000
const positionName = Buffer.from('m2k.position')

/** What a topic has taken behind the checkpoint. */
interface Tail {
  /** undefined where that is nothing. */
  readonly highest: Buffer | undefined
  has(position: Buffer, partition: number): boolean
}

function tailOfHighest(highest: readonly (Buffer | undefined)[]): Tail {
  return {
    highest: highestOf(highest),
    has(position, partition) {
      const tail = highest[partition]
      return tail !== undefined && position.compare(tail) <= 0
    },
  }
}

function tailOfPresent(present: ReadonlySet<string>): Tail {
  let last = ''
  for (const position of present) if (position > last) last = position // Latin-1 text orders as its bytes do.
  return {
    highest: present.size === 0 ? undefined : Buffer.from(last, 'latin1'),
    has: position => present.has(position.toString('latin1')),
  }
}

function highestOf(positions: readonly (Buffer | undefined)[]): Buffer | undefined {
  let highest: Buffer | undefined
  for (const position of positions) {
    if (position !== undefined && !(highest && position.compare(highest) <= 0)) highest = position
  }
  return highest
}

interface Candidate {
  readonly ends: Ends
  /** The last position that was sent when the ends became known. */
  readonly after: Position | undefined
}

/**
 * De-duplication for targets without transactions (design decision 10). Records of one source reach a partition in the
 * order of their positions, one request after the other, so those that a crash left behind its checkpoint are exactly
 * those at or below the highest position there; a replay leaves them out. Per partition alone would be wrong: slots and
 * partitions cross, and a slow slot's records would be left out unsent. A PresenceReader finds exactly those that are
 * there, and these are left out.
 *
 * The checkpoint says where to look: offsets (`ends`) before which nothing lies that was sent after its position. They
 * are the partitions' ends at some moment, and good for every position at or after the last one that was sent by then.
 * During a replay that is the highest of all tails, wherever the replay itself is: were they moved on earlier, a second
 * crash would find nothing behind them of what the first has left.
 * The offsets after our own last records would do too, but where others write to the same partition a start would read
 * all of theirs.
 */
export class Tails {
  readonly #options: TailsOptions
  /** By topic. */
  readonly #tails: ReadonlyMap<string, Tail>
  /** Of all of them, until the replay has reached it; then there is no tail left. */
  #highest: Buffer | undefined
  #ends: Ends
  #candidate: Candidate | undefined
  #isAsking = false
  #askedMs = Number.NEGATIVE_INFINITY
  #sent: Position | undefined

  private constructor(options: TailsOptions, ends: Ends, tails: ReadonlyMap<string, Tail>) {
    this.#options = options
    this.#ends = ends
    this.#tails = tails
    this.#highest = highestOf([...tails.values()].map(({ highest }) => highest))
  }

  /** Reads the tails of all topics in use. Open the sink before: it ends what its predecessor has under way. */
  static async open(options: TailsOptions, signal: AbortSignal): Promise<Tails> {
    const { reader, source, partitions } = options
    const tails = new Map<string, Tail>()
    let { ends } = options
    for (const [topic, count] of Object.entries(partitions)) {
      const from = Object.hasOwn(ends, topic) ? ends[topic]! : new Array<number>(count).fill(0)
      ends = { ...ends, [topic]: from }
      const tail =
        'present' in reader
          ? tailOfPresent(await reader.present(topic, from, source, signal))
          : tailOfHighest(await reader.highest(topic, from, source, signal))
      tails.set(topic, tail)
    }
    return new Tails(options, ends, tails)
  }

  /** `records` without those that the target has already; the same object where it has none. */
  fresh(records: Records): Records {
    const duplicates = new Set<number>()
    for (let i = 0; i < records.count && this.#highest !== undefined; i++) {
      if (this.#has(records, i, this.#highest)) duplicates.add(i)
    }
    if (duplicates.size === 0) return records
    this.#options.onDuplicates(duplicates.size)
    return withoutRecords(records, duplicates)
  }

  /** The ends of a topic that is used for the first time: to be durable before its first record. */
  async use(topic: string, count: number, signal: AbortSignal): Promise<Ends> {
    const ends = await this.#options.reader.ends(topic, count, signal)
    this.#ends = { ...this.#ends, [topic]: ends }
    return this.#ends
  }

  /** `position` is being sent. */
  sending(position: Position): void {
    this.#sent = position
  }

  /** What to save with `position`. Later ends are asked for meanwhile; where that fails, these stay good. */
  endsAt(position: Position, signal: AbortSignal): Ends {
    const { after, ends } = this.#candidate ?? {}
    if (ends !== undefined && (after === undefined || position.compare(after) >= 0)) {
      this.#ends = { ...this.#ends, ...ends }
      this.#candidate = undefined
    }
    if (this.#mayAsk) void this.#ask(signal)
    return this.#ends
  }

  get #mayAsk(): boolean {
    if (this.#isAsking || this.#candidate !== undefined || this.#highest !== undefined) return false
    const sinceMs = this.#options.clock.nowMs() - this.#askedMs
    return sinceMs >= askIntervalMs || sinceMs < 0
  }

  async #ask(signal: AbortSignal): Promise<void> {
    this.#isAsking = true
    this.#askedMs = this.#options.clock.nowMs()
    try {
      const ends: Record<string, readonly number[]> = {}
      for (const [topic, { length }] of Object.entries(this.#ends)) {
        ends[topic] = await this.#options.reader.ends(topic, length, signal)
      }
      this.#candidate = { ends, after: this.#sent }
    } catch {
      // The next save asks again.
    } finally {
      this.#isAsking = false
    }
  }

  #has(records: Records, i: number, highest: Buffer): boolean {
    const position = findHeader(records.bytes, records.headerStarts[i]!, records.starts[i + 1]!, positionName)
    if (position === undefined) return false
    if (position.compare(highest) >= 0) this.#highest = undefined
    return this.#tails.get(records.topics[i]!)?.has(position, records.partitions[i]!) ?? false
  }
}

/**
 * `create`d delivery, with a saver that keeps the ends, behind a filter that leaves out what the target has already.
 * `signal` ends asking for ends.
 */
export function withTails(
  tails: Tails,
  saver: Saver,
  create: (saver: Pick<Saver, 'save' | 'usePartitions'>) => Delivery,
  signal: AbortSignal,
): Delivery {
  const inner = create({
    save: position => saver.save(position, tails.endsAt(position, signal)),
    usePartitions: async (topic, count) => saver.usePartitions(topic, count, await tails.use(topic, count, signal)),
  })
  return {
    deliver(batch: PreparedBatch, aborted: AbortSignal): Promise<void> {
      tails.sending(batch.position)
      const records = tails.fresh(batch.records)
      if (records === batch.records) return inner.deliver(batch, aborted)
      return inner.deliver({ ...batch, records, recordCount: records.count }, aborted)
    },
    usePartitions: (topic, count) => inner.usePartitions(topic, count),
  }
}
