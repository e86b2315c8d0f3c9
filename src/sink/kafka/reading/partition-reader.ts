import type { Clock } from '../../../clock.ts'
import { untilAborted } from '../../../deadline.ts'
import { Configuration, Retryable } from '../../../errors.ts'
import { advised } from '../acl-advice.ts'
import { faultOf } from '../classify.ts'
import { speaks } from '../protocol/api-versions.ts'
import { refusedRequest } from '../protocol/broker-error.ts'
import {
  type FetchedPartition,
  type FetchQuestion,
  fetchApi,
  fetchRequest,
  fetchWithZstdApi,
  type Isolation,
} from '../protocol/fetch.ts'
import { listOffsetsApi, listOffsetsRequest, type OffsetQuestion } from '../protocol/list-offsets.ts'
import type { Request } from '../protocol/request.ts'
import type { KafkaSettings } from '../settings.ts'
import { committedOf } from './committed.ts'
import { endMarkApi, endMarkRequest } from './end-mark.ts'
import { LeaderConnections } from './leader-connections.ts'
import { Patience } from './patience.ts'
import { type ReadBatch, type ReadRecord, recordBatches } from './record-batches.ts'

const connectTimeoutMs = 5_000
/** Answers come at once, or after `remoteWaitMs` (fetch.ts): a broker that is silent for longer hangs. */
const requestTimeoutMs = 4_000
/** Where a first batch does not fit, the limit grows up to here. */
const largestFetchBytes = 256 << 20
const offsetOutOfRange = 1
/** THROTTLING_QUOTA_EXCEEDED: what an answer without the partition means. */
const throttled = 89

export interface ReaderLimits {
  /** What one fetch may bring, unless a single batch is larger. */
  readonly fetchLimitBytes: number
  /** How long a leader may be missing, or not know its high watermark, before a read gives up. */
  readonly leaderWaitMs: number
  /**
   * How long an open transaction may hold back the last stable offset: its own timeout, and the time that the broker
   * takes to notice (`transaction.abort.timed.out.transaction.cleanup.interval.ms`, 10 s).
   */
  readonly transactionWaitMs: number
}

export const defaultReaderLimits: ReaderLimits = {
  fetchLimitBytes: 1 << 20,
  leaderWaitMs: 30_000,
  transactionWaitMs: 30_000,
}

export interface ReaderOptions {
  readonly settings: KafkaSettings
  readonly clock: Clock
  readonly limits?: Partial<ReaderLimits>
}

export interface ReadOptions {
  readonly isolation: Isolation
  /** Where to end; absent: the high watermark, taken after the call began. */
  readonly until?: bigint
}

/**
 * Reads partitions without group and without subscription, up to an end that is known. Shared by all who read from one
 * cluster. Errors are Faults: Retryable SINK_UNAVAILABLE, Configuration SINK_UNAUTHORIZED, SINK_AUTH_FAILED or
 * SINK_REJECTED; an aborted signal rejects with its reason.
 */
export class PartitionReader implements AsyncDisposable {
  readonly #settings: KafkaSettings
  readonly #connections: LeaderConnections
  readonly #clock: Clock
  readonly #limits: ReaderLimits
  #fetchedBytes = 0

  constructor({ settings, clock, limits }: ReaderOptions) {
    this.#settings = settings
    this.#connections = new LeaderConnections({ kafka: settings, connectTimeoutMs, requestTimeoutMs }, clock)
    this.#clock = clock
    this.#limits = { ...defaultReaderLimits, ...limits }
  }

  /** Of records, by all reads together. */
  get fetchedBytes(): number {
    return this.#fetchedBytes
  }

  /**
   * The high watermark, or the first offset that retention has left. A new leader may not know the former yet; it is
   * asked until it does.
   */
  async offset(topic: string, partition: number, at: OffsetQuestion['at'], signal: AbortSignal): Promise<bigint> {
    const request = listOffsetsRequest({ topic, partition, at, isolation: 'read_uncommitted' })
    const answer = await this.#insist({ topic, partition }, request, 'ListOffsets', signal)
    return answer.offset
  }

  /**
   * Writes a record of `key` without value and returns its offset, before which everything lies that was acknowledged
   * by all in-sync replicas until now. That is more than `offset` can say: a broker that was frozen takes itself for
   * the leader that it was, for a moment after it wakes up, and answers with the high watermark of that time. But
   * nobody follows it any more, so it cannot acknowledge; and its high watermark is not beyond its successor's first
   * offset, so who reads up to the mark cannot be content with what it gives either. (With unclean leader elections
   * none of this holds, nor does any acknowledgement.)
   */
  async mark(topic: string, partition: number, key: string, signal: AbortSignal): Promise<bigint> {
    if (!speaks(await this.#connections.versions(signal), endMarkApi)) {
      throw new Configuration('SINK_REJECTED', 'Kafka: checkpoints need Produce version 3')
    }
    const request = endMarkRequest({ topic, partition, key, timestampMs: this.#clock.nowMs() })
    const { errorCode, offset } = await this.#insist({ topic, partition }, request, 'Produce', signal)
    if (errorCode !== 0)
      throw faultOf(refusedRequest('Produce', errorCode, topic), `mark the end of ${topic}-${partition}`)
    return offset
  }

  /**
   * The records from offset `from` on, batch by batch, in order; those that retention has removed are passed over. It
   * ends when the fetch position has reached the end, whatever is left there: control markers and what compaction
   * removed take offsets, so the record before the end may never come. With `read_committed` it waits while an open
   * transaction holds back the last stable offset, which is never taken for the end.
   */
  async *readPartition(
    topic: string,
    partition: number,
    from: bigint,
    { isolation, until }: ReadOptions,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ReadRecord[], void> {
    signal.throwIfAborted()
    const end = until ?? (await this.offset(topic, partition, 'latest', signal))
    const patience = new Patience(this.#clock, this.#limits.transactionWaitMs)
    let limitBytes = this.#limits.fetchLimitBytes
    for (let position = from; position < end; ) {
      const where = `${topic}-${partition}@${position}`
      const question = { topic, partition, offset: position, isolation, limitBytes }
      const fetched = await this.#fetch(question, signal)
      if (fetched === undefined) {
        position = await this.#afterRemoved(question, patience, signal)
        continue
      }
      const batches = readable(where, () => [...recordBatches(fetched.records)])
      const next = (batches.at(-1)?.lastOffset ?? position - 1n) + 1n
      const inRange = ({ offset }: ReadRecord) => offset >= position && offset < end
      for (const batch of readable(where, () => [...visible(batches, fetched, isolation)])) {
        const records = readable(where, () => batch.records()).filter(inRange)
        if (records.length > 0) yield records
      }
      if (next > position) patience.begin()
      else if (fetched.records.length > 0) limitBytes = larger(limitBytes, where)
      else if (boundary(fetched, isolation) >= end)
        return // What was there is compacted away.
      else await this.#beforeEnd(question, fetched, end, patience, signal)
      if (next > position) position = next
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connections[Symbol.asyncDispose]()
  }

  /** undefined: the offset is out of the leader's range. */
  async #fetch(question: FetchQuestion, signal: AbortSignal): Promise<FetchedPartition | undefined> {
    const fetch = fetchRequest(question, await this.#fetchVersion(signal))
    const request = { ...fetch, parse: (answer: Buffer) => fetch.parse(answer).partition ?? nothing }
    const fetched = await this.#insist(question, request, 'Fetch', signal)
    if (fetched.errorCode === offsetOutOfRange) return undefined
    this.#fetchedBytes += fetched.records.length
    return fetched
  }

  /** Where to go on from an offset that is out of range: the first that is left, or the same, where it is to come. */
  async #afterRemoved(question: FetchQuestion, patience: Patience, signal: AbortSignal): Promise<bigint> {
    const { topic, partition, offset } = question
    const earliest = await this.offset(topic, partition, 'earliest', signal)
    if (earliest > offset) return earliest
    this.#connections.forget(topic, partition)
    await patience.wait(`Kafka: the leader of ${topic}-${partition} has nothing at ${offset}`, signal)
    return offset
  }

  /** Waits for what lies before `end` and is not given yet. */
  async #beforeEnd(
    { topic, partition, offset }: FetchQuestion,
    { highWatermark }: FetchedPartition,
    end: bigint,
    patience: Patience,
    signal: AbortSignal,
  ): Promise<void> {
    const where = `${topic}-${partition}@${offset}`
    if (highWatermark >= end) {
      await patience.wait(`Kafka: ${where} is held back by an open transaction, before ${end}`, signal)
      return
    }
    // A new leader that is still to hear what its followers have, or one that has a successor and does not know.
    this.#connections.forget(topic, partition)
    await patience.wait(`Kafka: the leader of ${where} knows of nothing up to ${end}`, signal)
  }

  /** Asks the leader, and its successors, until one answers without an error that passes by itself. */
  async #insist<T extends { readonly errorCode: number }>(
    { topic, partition }: Pick<FetchQuestion, 'topic' | 'partition'>,
    request: Request<T>,
    api: 'Fetch' | 'ListOffsets' | 'Produce',
    signal: AbortSignal,
  ): Promise<T> {
    const patience = new Patience(this.#clock, this.#limits.leaderWaitMs)
    for (;;) {
      try {
        const answer = await untilAborted(this.#connections.askLeader(topic, partition, request, signal), signal)
        if (answer.errorCode === 0 || answer.errorCode === offsetOutOfRange) return answer
        this.#connections.forget(topic, partition)
        const refused = refusedRequest(api, answer.errorCode, topic)
        throw faultOf(refused, `read ${topic}-${partition}`)
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof Retryable)) throw advised(error, this.#settings)
        await patience.wait(error.message, signal, error)
      }
    }
  }

  async #fetchVersion(signal: AbortSignal): Promise<4 | 10> {
    const versions = await this.#connections.versions(signal)
    if (!speaks(versions, fetchApi) || !speaks(versions, listOffsetsApi)) {
      throw new Configuration('SINK_REJECTED', 'Kafka: reading back needs Fetch version 4 and ListOffsets version 2')
    }
    return speaks(versions, fetchWithZstdApi) ? 10 : 4
  }
}

const nothing: FetchedPartition = {
  errorCode: throttled,
  highWatermark: -1n,
  lastStableOffset: -1n,
  aborted: [],
  records: Buffer.alloc(0),
}

/** Up to where the broker gives records. */
function boundary({ highWatermark, lastStableOffset }: FetchedPartition, isolation: Isolation): bigint {
  return isolation === 'read_committed' ? lastStableOffset : highWatermark
}

function visible(batches: readonly ReadBatch[], { aborted }: FetchedPartition, isolation: Isolation) {
  return committedOf(batches, isolation === 'read_committed' ? aborted : [])
}

function larger(limitBytes: number, where: string): number {
  if (limitBytes < largestFetchBytes) return 2 * limitBytes
  throw new Configuration('SINK_REJECTED', `Kafka: ${where}: a record batch of more than ${limitBytes} bytes`)
}

/** Bytes that a bad network or disk has changed are worth another try; what is stored so stays so, and is named. */
function readable<T>(where: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new Retryable('SINK_UNAVAILABLE', `Kafka: cannot read ${where}: ${cause.message}`, { cause })
  }
}
