import type { StoredPosition } from '../position.ts'
import type { Records } from '../record.ts'

export const checkpointFormatVersion = 3

/**
 * For each topic, by partition number, the offset after the last record of ours that is known to be acknowledged there;
 * before the first of them, the end of the partition when it was first used. Partitions without are not in use yet.
 */
export type Ends = Readonly<Record<string, readonly number[]>>

/** What a pipeline's slot needs to continue: written after acknowledgement, never before (G1). */
export interface Checkpoint {
  readonly formatVersion: typeof checkpointFormatVersion
  readonly deployment: string
  readonly pipeline: string
  readonly slot: number
  /** Raised by each start: a store that sees a later one refuses the saves of an earlier one. */
  readonly epoch: number
  /** Raised when history is given up: a new cluster identity, lost history, a position set by hand. */
  readonly generation: number
  /** Of the configuration that the slot was last opened with: one of an earlier revision must not follow it. */
  readonly revision: number
  /** Identity of the MongoDB deployment. */
  readonly cluster: string
  /** Hash of what the stream was opened with; where it differs, resume by cluster time. */
  readonly filterHash: string
  readonly position: StoredPosition
  /** Partition count of each topic at its first use: the modulus for good (G2). */
  readonly partitions: Readonly<Record<string, number>>
  /** For targets without transactions, where to look for records that were sent but not saved. Else empty. */
  readonly ends: Ends
  readonly savedAtMs: number
}

/** Durable checkpoints of one deployment. */
export interface CheckpointStore extends AsyncDisposable {
  /**
   * What is stored now, read anew; undefined: never saved. A transaction that was open when the sink was opened is
   * settled by then or waited for. Throws Configuration CHECKPOINT_CORRUPT or CHECKPOINT_NEWER, or Retryable.
   */
  load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined>
  /**
   * Settles when durable. Saves of one pipeline and slot take effect in the order they were called. Throws Fenced
   * CHECKPOINT_FENCED where the store sees a later epoch, or Retryable CHECKPOINT_UNAVAILABLE.
   */
  save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void>
  /**
   * The start of a pipeline, one for all its slots: the first that was ever proposed for it. Settles when it is
   * durable. Absent where there is one slot only.
   */
  fixStart?(pipeline: string, proposed: StoredPosition, signal: AbortSignal): Promise<StoredPosition>
}

/** A store whose checkpoints are records of Kafka, and so can be part of the transaction of what they cover. */
export interface TransactionalStore extends CheckpointStore {
  /** `checkpoint` as the record that `save` would write. */
  toRecords(checkpoint: Checkpoint): Records
}
