import type { PoisonEvent } from './errors.ts'
import type { Position } from './position.ts'

/** A BSON document inside a larger buffer: `bytes[start, end)`, its four length bytes included. Never copied. */
export interface Span {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** A BSON value without its name: `type` is BSON's type byte, `bytes[start, end)` the value. */
export interface ValueSpan extends Span {
  readonly type: number
}

/** How a change event's document relates to the change (header `m2k.doc`). */
export type DocumentLabel = 'exact' | 'later' | 'missing' | 'none'

/**
 * One change event: MongoDB's raw BSON and where its parts are. `after` and `before` are what the pipeline's image
 * modes left or a lookup found, so they may lie in other buffers than `raw`.
 */
export interface ChangeEvent {
  readonly raw: Span
  /** MongoDB's operationType: insert, update, replace, delete, drop, rename, dropDatabase, invalidate, … */
  readonly operation: string
  readonly db: string
  /** Empty where the event concerns a whole database. */
  readonly collection: string
  readonly documentKey: Span | undefined
  /** The document's `_id`, inside `documentKey`. */
  readonly id: ValueSpan | undefined
  /** fullDocument: the document after the change. */
  readonly after: Span | undefined
  /** fullDocumentBeforeChange: the pre-image. */
  readonly before: Span | undefined
  readonly label: DocumentLabel
  /** The resume token document inside `raw`; undefined for what is no event of a change stream. */
  readonly token: Span | undefined
  readonly position: Position
  /** Wall-clock time of the change (wallTime, or the cluster time's seconds), milliseconds since the Unix epoch. */
  readonly timestampMs: number
  /** Why no record can be made of it, where the source knows: parts of it are missing. undefined: a whole event. */
  readonly poison?: PoisonEvent | undefined
}

/**
 * Consecutive change events and the position after the last of them, which is valid even where `events` is empty. The
 * events are used again: they are valid until the next batch is asked for.
 */
export interface ChangeBatch {
  readonly events: readonly ChangeEvent[]
  readonly position: Position
  /** Size of the raw events, bytes. */
  readonly bytes: number
  /**
   * Whether MongoDB had more changes when it answered with this batch: who waits for the next one then waits for the
   * source, else for somebody to change something. Absent: not known.
   */
  readonly more?: boolean
}
