import type { Lease } from '../lease.ts'
import type { WorkersStatus } from '../status.ts'

/** What works on slots. Both calls are made one after another, never for the same slot twice in a row. */
export interface SlotHolder {
  /** Starts every pipeline on these slots. */
  take(slots: readonly number[], lease: Lease): void
  /**
   * Stops every pipeline on these slots. Resolves when nothing of them is in flight and their positions are saved, or
   * the drain limit is over. Never rejects.
   */
  release(slots: readonly number[]): Promise<void>
}

/** Shares the slots of one deployment among its workers. */
export interface Workers {
  readonly status: WorkersStatus
  /**
   * Takes and releases slots until `stop` aborts; then releases all, leaves and resolves. Throws Configuration, Fenced
   * or Retryable, with every slot released.
   */
  run(holder: SlotHolder, stop: AbortSignal): Promise<void>
}
