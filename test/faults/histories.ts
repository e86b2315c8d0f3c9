import fc from 'fast-check'
import { type Change, type ChangeKind, type Seen, stateOf } from './journal.ts'
import type { Evidence } from './judge.ts'

/** A history in MongoDB's order, and how it was delivered: runs of it, each beginning where a checkpoint stood. */
export interface History {
  readonly changes: readonly Change[]
  /** In the order of the topic. */
  readonly seen: readonly Seen[]
}

const partitions = 3

/** Random changes of a few keys, each history of a key whole: inserted, changed, deleted, inserted again. */
const changesArbitrary = fc.array(fc.tuple(fc.nat(5), fc.nat(9)), { minLength: 4, maxLength: 60 }).map(picks => {
  const lengths = new Map<string, number>()
  const alive = new Set<string>()
  return picks.map(([id, dice], index): Change => {
    const key = `c/${id}`
    const version = (lengths.get(key) ?? 0) + 1
    lengths.set(key, version)
    const kind = kindOf(alive.has(key), dice)
    if (kind === 'delete') alive.delete(key)
    else alive.add(key)
    return { key, version, kind, time: BigInt(100 + index), atMs: index }
  })
})

function kindOf(exists: boolean, dice: number): ChangeKind {
  if (!exists) return 'insert'
  if (dice < 2) return 'delete'
  return dice < 5 ? 'replace' : 'update'
}

/** Exactly once: every change one record, in order. */
export const cleanHistory = changesArbitrary.map((changes): History => ({ changes, seen: changes.map(seenOf) }))

/** At least once: it went on, several times, from a checkpoint that lay behind what it had sent. */
export const replayedHistory = fc
  .tuple(changesArbitrary, fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 5 }))
  .map(([changes, cuts]): History => {
    const seen: Seen[] = []
    let end = 0
    let checkpoint = 0
    for (const [reach, back] of cuts) {
      const until = end + (reach % (changes.length - end + 1))
      seen.push(...changes.slice(checkpoint, until).map(seenOf))
      end = Math.max(end, until)
      checkpoint += back % (until - checkpoint + 1)
    }
    seen.push(...changes.slice(checkpoint).map(seenOf))
    return { changes, seen }
  })

export function seenOf(change: Change): Seen {
  const { key, version, kind, time, atMs } = change
  const partition = Number(key.slice(2)) % partitions
  const position = String(time).padStart(8, '0')
  return { key, version, kind, genuine: true, topic: 't', partition, source: 'n/p/0', position, atMs }
}

/** All that the judge is given for a history, with `seen` in place of what stood in the topic. */
export function evidenceOf(
  history: History,
  seen: readonly Seen[] = history.seen,
  duplicates: Evidence['duplicates'] = 'suffix',
): Evidence {
  const journal = new Map<string, Change[]>()
  for (const change of history.changes) journal.set(change.key, [...(journal.get(change.key) ?? []), change])
  return { journal, seen, state: stateOf(journal), duplicates }
}
