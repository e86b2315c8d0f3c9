import type { PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Records } from '../record.ts'

export type KeyFormat = 'extended-json' | 'string'
export type ValueFormat = 'json' | 'extended-json' | 'canonical-json'
export type Shape = 'change-event' | 'document'

export interface EncodeOptions {
  readonly key: { readonly fields: readonly string[] | 'documentKey'; readonly format: KeyFormat }
  readonly value: { readonly format: ValueFormat; readonly shape: Shape }
  readonly tombstones: boolean
  /** `deployment/pipeline/slot`: header m2k.source. */
  readonly source: string
  /** Raised when history is given up; the first bytes of header m2k.position. */
  readonly generation: number
}

/** The records of one batch of events, in memory that is used again once it is released. */
export interface EncodedBlock extends Records {
  /** Gives record `i` its topic, and the partition that its key falls to among `partitionCount`. */
  place(i: number, topic: string, partitionCount: number): void
  /** Takes the records from number `count` on away again, and what there is of a broken one. */
  cut(count: number): void
  release(): void
}

/** Turns change events into records: none (a missing document in shape `document`), one, or one and a tombstone. */
export interface Encoder {
  /** An empty block, which `encode` appends to from now on. */
  begin(): EncodedBlock
  /**
   * Appends the event's records, without their places. Throws PoisonEvent EVENT_UNENCODABLE, naming collection and
   * position; the block then holds a broken record and is only to be cut or released.
   */
  encode(event: ChangeEvent): void
  /** Appends the record that is sent to the dead letters instead of the event's own, without its place. */
  encodeDeadLetter(event: ChangeEvent, why: PoisonEvent): void
}
