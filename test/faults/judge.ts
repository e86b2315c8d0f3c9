import type { Journal, SavedPosition, Seen } from './journal.ts'

/** Everything the verdict rests on. */
export interface Evidence {
  /** What was written. Nobody else writes. */
  readonly journal: Journal
  /** What stands in the topics for a read-committed consumer, each partition in its order. */
  readonly seen: readonly Seen[]
  /** The version of each document that exists, as the collection itself says. */
  readonly state: ReadonlyMap<string, number>
  /**
   * none: exactly once, or nothing ever failed. suffix: a failure may replay what follows a checkpoint. by position:
   * nobody fences who writes, so the promises are those to a consumer that drops what is not above the highest
   * m2k.position, and to it nothing may come twice (docs/guarantees.md, What is not promised).
   */
  readonly duplicates: 'none' | 'suffix' | 'by position'
}

export interface Verdict {
  /** Each begins with the promise that it breaks. */
  readonly violations: readonly string[]
  /** Records beyond the first of their change, and those that a consumer by position drops. */
  readonly duplicates: number
}

/** What is known of one key while its records pass. */
interface Place {
  /** The version that follows the last record. */
  next: number
  /** The version that follows the highest one seen. */
  end: number
  readonly where: string
  last: Seen
}

/** The first violations are enough for a person; what follows is mostly their echo. */
const shownLimit = 50

/** Judges a whole history. Pure. Where it returns no violation, G1 to G6 held for these records. */
export function judge(evidence: Evidence): Verdict {
  const { journal, state } = evidence
  const isNew = newByPosition(evidence.seen)
  const seen = evidence.seen.filter((_, i) => evidence.duplicates !== 'by position' || isNew[i])
  const violations: string[] = []
  const places = new Map<string, Place>()
  let duplicates = evidence.seen.length - seen.length
  for (const record of seen) {
    const problem = problemOf(record, journal)
    if (problem !== undefined) violations.push(problem)
    else if (follow(record, places, evidence.duplicates, violations)) duplicates += 1
  }
  violations.push(...endings(journal, places), ...positionRule(seen), ...finalState(places, state))
  return { violations: shorten(violations), duplicates }
}

/**
 * Changes that a checkpoint has passed and that are in no topic (G1): what a restart from it would lose. `seen` is all
 * that stands in the topics while nobody produces, read after `saved`. A change counts as passed only where its
 * acknowledgement is older than the position: several changes of one transaction share a cluster time.
 */
export function judgeCheckpoints(
  journal: Journal,
  seen: readonly Seen[],
  saved: readonly SavedPosition[],
  slotOfKey: (key: string) => number,
): string[] {
  const arrived = new Set(seen.map(({ key, version }) => `${key}@${version}`))
  const violations: string[] = []
  for (const { pipeline, slot, time } of saved) {
    for (const [key, changes] of journal) {
      if (slotOfKey(key) !== slot) continue
      for (const change of changes) {
        if (change.time >= time || arrived.has(`${key}@${change.version}`)) continue
        const place = `${pipeline}/${slot} at ${time}`
        violations.push(`G1: the checkpoint of ${place} is ahead: ${key} version ${change.version} is nowhere`)
      }
    }
  }
  return shorten(violations)
}

/** What no history could explain: a record of something that nobody wrote (G5). */
function problemOf(record: Seen, journal: Journal): string | undefined {
  const { key, version, kind, genuine } = record
  const change = journal.get(key)?.[version - 1]
  if (change === undefined) return `G5: ${key} version ${version} (${kind}) was never written`
  if (change.kind !== kind) return `G5: ${key} version ${version} was ${change.kind}, the record says ${kind}`
  if (!genuine) return `G5: ${key} version ${version} carries a document that it never was`
  return undefined
}

/** Whether it is a duplicate. A step back begins a replay, and what is replayed follows without gap (G2, G3, G4). */
function follow(
  record: Seen,
  places: Map<string, Place>,
  allowed: Evidence['duplicates'],
  violations: string[],
): boolean {
  const { key, version } = record
  const where = `${record.topic}-${record.partition}`
  const place = places.get(key)
  if (place === undefined) {
    places.set(key, { next: version + 1, end: version + 1, where, last: record })
    if (version !== 1) violations.push(`G1: ${key} begins with version ${version}`)
    return false
  }
  if (place.where !== where) violations.push(`G2: ${key} is in ${place.where} and in ${where}`)
  if (version > place.next) violations.push(`G2: ${key} jumps from version ${place.next - 1} to ${version}`)
  const again = version < place.end
  if (again && allowed !== 'suffix') violations.push(`G4: ${key} repeats version ${version}`)
  place.next = version + 1
  place.end = Math.max(place.end, version + 1)
  place.last = record
  return again
}

/** Every change is there, and a replay has come to its end (G1). */
function endings(journal: Journal, places: ReadonlyMap<string, Place>): string[] {
  const violations: string[] = []
  for (const [key, changes] of journal) {
    const { next = 1, end = 1 } = places.get(key) ?? {}
    if (end <= changes.length) violations.push(`G1: ${key} ends at version ${end - 1} of ${changes.length}`)
    else if (next !== end) violations.push(`G3: a replay of ${key} breaks off at version ${next - 1} of ${end - 1}`)
  }
  return violations
}

/**
 * Whether each record is new to a consumer that keeps the highest m2k.position for each partition and m2k.source, and
 * drops what is not above it.
 */
function newByPosition(seen: readonly Seen[]): boolean[] {
  const highest = new Map<string, string>()
  return seen.map(record => {
    const stream = streamOf(record)
    const isNew = record.position > (highest.get(stream) ?? '')
    if (isNew) highest.set(stream, record.position)
    return isNew
  })
}

function streamOf({ topic, partition, source }: Seen): string {
  return `${topic}-${partition} ${source}`
}

/** Such a consumer sees every change exactly once. */
function positionRule(seen: readonly Seen[]): string[] {
  const isNew = newByPosition(seen)
  const first = new Set<string>()
  const violations: string[] = []
  for (const [i, record] of seen.entries()) {
    const change = `${record.key}@${record.version}`
    if (isNew[i] === first.has(change)) {
      const what = isNew[i] ? 'passes a second time' : 'would be dropped'
      const text = `${record.key} version ${record.version} ${what} by the position rule`
      violations.push(`G3: ${text} (${streamOf(record)})`)
    }
    first.add(change)
  }
  return violations
}

/** The last record of each key gives the collection (G6). */
function finalState(places: ReadonlyMap<string, Place>, state: ReadonlyMap<string, number>): string[] {
  const violations: string[] = []
  for (const [key, { last }] of places) {
    const materialised = last.kind === 'delete' ? undefined : last.version
    if (materialised !== state.get(key)) {
      const is = (version: number | undefined) => (version === undefined ? 'no document' : `version ${version}`)
      violations.push(`G6: ${key} is ${is(state.get(key))}, the topic says ${is(materialised)}`)
    }
  }
  for (const key of state.keys()) if (!places.has(key)) violations.push(`G6: ${key} exists, and no record says so`)
  return violations
}

function shorten(violations: readonly string[]): string[] {
  if (violations.length <= shownLimit) return [...violations]
  return [...violations.slice(0, shownLimit), `… and ${violations.length - shownLimit} more`]
}
