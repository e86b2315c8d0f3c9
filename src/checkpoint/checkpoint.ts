import type { StoredPosition } from '../position.ts'
import type { Records } from '../record.ts'

export const checkpointFormatVersion = 1

/** What a pipeline's slot needs to continue: written after acknowledgement, never before (G1). */
export interface Checkpoint {
  readonly formatVersion: typeof checkpointFormatVersion
  readonly deployment: string
  readonly pipeline: string
  readonly slot: number
  /** Raised by each start; recorded, not yet enforced. */
  readonly epoch: number
  /** Raised when history is given up: a new cluster identity, lost history, a position set by hand. */
  readonly generation: number
  /** Identity of the MongoDB deployment. */
  readonly cluster: string
  /** Hash of what the stream was opened with; where it differs, resume by cluster time. */
  readonly filterHash: string
  readonly position: StoredPosition
  /** Partition count of each topic at its first use: the modulus for good (G2). */
  readonly partitions: Readonly<Record<string, number>>
  readonly savedAtMs: number
}

/** Durable checkpoints of one deployment. */
export interface CheckpointStore extends AsyncDisposable {
  /** undefined: never saved. Throws Configuration CHECKPOINT_CORRUPT or CHECKPOINT_NEWER, or Retryable. */
  load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined>
  /** Settles when durable. Saves of one pipeline and slot take effect in the order they were called. */
  save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void>
}

/** A store whose checkpoints are records of Kafka, and so can be part of the transaction of what they cover. */
export interface TransactionalStore extends CheckpointStore {
  /** `checkpoint` as the record that `save` would write. */
  toRecords(checkpoint: Checkpoint): Records
}
