import type { ChangeEvent } from '../event.ts'
import type { EncodedRecord } from '../record.ts'

export type KeyFormat = 'extended-json' | 'string'
export type ValueFormat = 'json' | 'extended-json' | 'canonical-json'
export type Shape = 'change-event' | 'document'

export interface EncodeOptions {
  readonly key: { readonly fields: readonly string[] | 'documentKey'; readonly format: KeyFormat }
  readonly value: { readonly format: ValueFormat; readonly shape: Shape }
  readonly tombstones: boolean
  /** false where the target has no headers; then the same goes into the value. */
  readonly headers: boolean
  /** `deployment/pipeline/slot`: header m2k.source. */
  readonly source: string
  /** Raised when history is given up; the first bytes of header m2k.position. */
  readonly generation: number
}

/** Turns one change event into its records: none (a missing document in shape `document`), one, or one and a tombstone. */
export interface Encoder {
  /** Throws PoisonEvent EVENT_UNENCODABLE, naming collection and position. Records own their bytes. */
  encode(event: ChangeEvent): EncodedRecord[]
}
