import type { Lease } from '../lease.ts'
import type { WorkersStatus } from '../status.ts'

/** Why slots are given back: somebody else is to have them, or this worker ends. */
export type Occasion = 'handing-over' | 'stopping'

/** What works on slots. Both calls are made one after another, never for the same slot twice in a row. */
export interface SlotHolder {
  /** Starts every pipeline on these slots. */
  take(slots: readonly number[], lease: Lease): void
  /**
   * Stops every pipeline on these slots. Resolves when nothing of them is in flight and their positions are saved, or
   * the drain limit is over. Never rejects. What is handed over is from then on the matter of who gets it.
   */
  release(slots: readonly number[], occasion: Occasion): Promise<void>
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
