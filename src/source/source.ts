import type { ChangeBatch } from '../event.ts'
import type { Position } from '../position.ts'

/** MongoDB's modes, and `auto`: the most exact that the collection allows. */
export type FullDocumentMode = 'default' | 'updateLookup' | 'whenAvailable' | 'required' | 'auto'
export type BeforeChangeMode = 'default' | 'whenAvailable' | 'required' | 'auto'

/** Slot `index` of `count`: the documents whose `_id` hashes to it (bson/slot.ts). Other events are slot 0's. */
export interface Slot {
  readonly index: number
  readonly count: number
}

/** What one pipeline reads on one slot. */
export interface Selection {
  readonly pipeline: string
  readonly slot: Slot
  /** `db.collection`, `db.*` or `/regex/` over `db.collection`. */
  readonly collections: readonly string[]
  /** MongoDB match expression on the change event; such a pipeline has its own stream. */
  readonly filter: Readonly<Record<string, unknown>> | undefined
  readonly fullDocument: FullDocumentMode
  readonly fullDocumentBeforeChange: BeforeChangeMode
}

/** The changes of one pipeline and slot. */
export interface Source {
  /** The cluster time now: a start for a pipeline that has no checkpoint. */
  now(signal: AbortSignal): Promise<Position>
  /**
   * Reads the changes after `from`, in MongoDB's order, until `signal` aborts (then it ends by returning). Batches
   * without events carry an advanced position. Where `from` is of a stream that was opened otherwise (another filter,
   * other collections), give its `byTime`. Throws Retryable, PositionLost, PoisonEvent or Configuration.
   */
  read(from: Position, signal: AbortSignal): AsyncIterable<ChangeBatch>
}

/**
 * Whether two identities of deployments can be the same one. A replica set is `replicaSet:NAME/ID`, or without the
 * right to see its id `replicaSet:NAME`, which matches every id: a right that is granted later must not look like
 * another cluster.
 */
export function sameDeployment(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)
}

/** The window of history that the member read from still holds. */
export interface OplogWindow {
  readonly member: string
  /** Wall-clock time of the oldest entry, milliseconds since the Unix epoch. */
  readonly oldestMs: number
  /** Wall-clock time of the newest entry, milliseconds since the Unix epoch. */
  readonly newestMs: number
}

/** How fast the oplog grows. */
export interface OplogRate {
  /** Over all of the oplog. */
  readonly averageBytesPerSecond: number
  /**
   * In the busiest ten seconds that were looked at: those of its last minute, and `stretches` of before; undefined where
   * not even the last minute could be read in time.
   */
  readonly peakBytesPerSecond: number | undefined
  /** So many times ten seconds, spread evenly over the oplog before its last minute. */
  readonly stretches: number
  /** From its first entry to its last. */
  readonly windowMs: number
}
