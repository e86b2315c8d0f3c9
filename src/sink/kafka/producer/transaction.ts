import type { Lane } from './lane.ts'

/**
 * One transaction of a producer, from its first record to its end. Several may be waiting one behind the other, of
 * which only the first, the present one, is known to the coordinator.
 */
export class Transaction {
  /** Whose batches are in it, in the order of their coming. */
  readonly lanes = new Set<Lane>()
  /** Whose partitions the coordinator has added to it; only these may be sent to. */
  readonly added = new Set<Lane>()
  /** Batches without acknowledgement. */
  openBatches = 0
  /** When the coordinator was first asked to add a partition, by the steady clock; undefined: not yet. */
  begunMs: number | undefined
  /** The same in milliseconds since the Unix epoch. */
  begunTimeOfDayMs = 0
  /** To be called once it is committed; undefined while it takes records. */
  onCommitted: (() => void) | undefined
}
