import type { Kafka } from 'kafkajs'
import type { Clock } from '../clock.ts'
import { withDeadline } from '../deadline.ts'
import { type Fault, Retryable } from '../errors.ts'

/** kafkajs's client and the end of all its connections, as the sink makes them. */
export interface KafkaConnection {
  readonly kafka: Kafka
  /** Ends every connection and retry at once and for good. */
  cut(reason: string): void
}

/** A record as the store reads it. */
export interface StoredRecord {
  readonly offset: bigint
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export interface StoreReadOptions {
  readonly isolation: 'read_committed' | 'read_uncommitted'
  /** Where to end; absent: the high watermark that the leader names, taken after the call began. */
  readonly until?: bigint
}

/** Reads partitions. Faults are those of the sink. */
export interface StoreReader extends AsyncDisposable {
  /**
   * Writes a record of `key` without value and returns its offset. Everything that was acknowledged before the call lies
   * before it, whatever any broker believes about who leads: a leader that was replaced cannot acknowledge.
   */
  mark(topic: string, partition: number, key: string, signal: AbortSignal): Promise<bigint>
  /**
   * The records from offset `from` on, in order. It ends when the fetch position reaches the end, not with a record;
   * with `read_committed` it waits while an open transaction holds back the last stable offset (design decision 9).
   */
  readPartition(
    topic: string,
    partition: number,
    from: bigint,
    options: StoreReadOptions,
    signal: AbortSignal,
  ): AsyncIterable<readonly StoredRecord[]>
}

/** What the Kafka store needs of the composition root: rooms do not import each other. */
export interface KafkaAccess {
  /** `for-ever`: retries until it is cut; `once`: for questions. */
  connect(patience: 'for-ever' | 'once'): KafkaConnection
  /** Names what to do about an error of kafkajs; SINK_UNAVAILABLE where it is worth another try. */
  faultOf(error: unknown, action: string): Fault
  /** Disposed with the store, or where it cannot be opened. */
  readonly reader: StoreReader
  readonly clock: Clock
  /**
   * How long one save may stay unacknowledged. Not longer than a batch of the sink: a pipeline whose sink gave up waits
   * for its save too, and looks as if it ran until then (G8). Default 30 s.
   */
  readonly saveLimitMs?: number
}

/** The store's fault for an error: where trying again helps, it is the checkpoint that is unavailable. */
export function checkpointFault(access: KafkaAccess, error: unknown, action: string): Fault {
  const fault = access.faultOf(error, action)
  if (fault.code !== 'SINK_UNAVAILABLE') return fault
  return new Retryable('CHECKPOINT_UNAVAILABLE', fault.message, { cause: error })
}

/** Runs `work` for at most `limitMs`; the connection is cut when that or `signal` ends it. */
export async function within<T>(
  work: Promise<T>,
  limitMs: number,
  action: string,
  { access, connection, signal }: { access: KafkaAccess; connection: KafkaConnection; signal?: AbortSignal },
): Promise<T> {
  return await withDeadline(work, {
    limitMs,
    late: () => new Retryable('CHECKPOINT_UNAVAILABLE', `Kafka: ${action}: no answer within ${limitMs / 1000} s`),
    clock: access.clock,
    signal,
    onEnd: () => connection.cut(`gave up: ${action}`),
  })
}
