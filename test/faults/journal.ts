/** What a change did to its document. */
export type ChangeKind = 'insert' | 'update' | 'replace' | 'delete'

/** One change that MongoDB has acknowledged, with write concern majority. */
export interface Change {
  /** `collection/_id` */
  readonly key: string
  /** 1, 2, 3 … for each key, deletes and inserts after them included: a history without gaps. */
  readonly version: number
  readonly kind: ChangeKind
  /** Cluster time at which the acknowledgement came: the change's own, or a later one. */
  readonly time: bigint
  /** When the writer got the acknowledgement, milliseconds since the Unix epoch. */
  readonly atMs: number
}

/** By key; the change of version n stands at n - 1. */
export type Journal = ReadonlyMap<string, readonly Change[]>

/** One record of a topic, as the judge needs it. */
export interface Seen {
  readonly key: string
  readonly version: number
  readonly kind: ChangeKind
  /** Whether the document in the record is the one that was written with this version. */
  readonly genuine: boolean
  readonly topic: string
  readonly partition: number
  /** Header m2k.source. */
  readonly source: string
  /** Header m2k.position, one character a byte: compares as the bytes do. */
  readonly position: string
  /** When the reader saw it, milliseconds since the Unix epoch. */
  readonly atMs: number
}

/** How far a slot of a pipeline says it is. */
export interface SavedPosition {
  readonly pipeline: string
  readonly slot: number
  readonly time: bigint
}

/** How many changes a journal holds. */
export function changesOf(journal: Journal): number {
  let sum = 0
  for (const changes of journal.values()) sum += changes.length
  return sum
}

/** The version of every document that exists after the journal's last changes. */
export function stateOf(journal: Journal): Map<string, number> {
  const state = new Map<string, number>()
  for (const [key, changes] of journal) {
    const last = changes.at(-1)
    if (last !== undefined && last.kind !== 'delete') state.set(key, last.version)
  }
  return state
}
