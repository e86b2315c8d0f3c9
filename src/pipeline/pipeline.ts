import type { Doing } from '../busy.ts'
import type { ChangeBatch } from '../event.ts'
import type { Position } from '../position.ts'
import type { Records } from '../record.ts'

/** A batch ready to be delivered. */
export interface PreparedBatch {
  /** Valid until `release`; `deliver` takes what it needs of them before it returns its promise. */
  readonly records: Records
  readonly recordCount: number
  /** The position after the batch, valid also where there are no records. */
  readonly position: Position
  /** What the records are counted with in the window. */
  readonly bytes: number
  /** Wall-clock time of the first event, milliseconds; undefined where there are none. */
  readonly oldestMs: number | undefined
  /** When the changes were made: runs of records of one millisecond. */
  readonly times: readonly TimedRun[]
  /** Gives the records' memory back. Once. */
  release(): void
}

/** `count` records in a row whose changes were made in the same millisecond. */
export interface TimedRun {
  readonly timestampMs: number
  readonly count: number
}

/** Turns change events into records with topic and partition. Waits only for topics it meets for the first time. */
export type Prepare = (batch: ChangeBatch, signal: AbortSignal) => Promise<PreparedBatch>

/** Makes records and their position durable, in this order or in one transaction. */
export interface Delivery {
  /**
   * Settles when the records and those of every earlier call are durable, and with them a position at or after
   * `batch.position`; that of a batch without records, where nothing earlier is under way, may be saved later. Rejects
   * only when no write of this and every earlier call can land any more, or none that consumers will see. Aborting
   * `signal` cancels what is not on the wire yet.
   */
  deliver(batch: PreparedBatch, signal: AbortSignal): Promise<void>
  /**
   * Keeps the partition count of a topic that is used for the first time. It is durable no later than the first record
   * sent after this has settled: a topic that grew between a crash and the restart would send a document's changes
   * elsewhere (G2).
   */
  usePartitions(topic: string, count: number): Promise<void>
}

/** The partition counts that a pipeline keeps. */
export interface PartitionCounts {
  /** That of the topic's first use, undefined before it. */
  partitions(topic: string): number | undefined
  usePartitions: Delivery['usePartitions']
}

/** Told of every batch on its way; the lag, the in-flight figures and what limits the throughput come from here. */
export interface Watch {
  /** What the loop works or waits on from now on. */
  doing(doing: Doing): void
  began(batch: PreparedBatch): void
  /** Delivered: every change up to its position is acknowledged. */
  delivered(batch: PreparedBatch): void
}
