/** One record of a topic, as a judge needs it: which change of which document it is, and where it stands. */
export interface Seen {
  readonly document: string
  /** The version that the change gave the document, or `deleted`. */
  readonly change: string
  readonly partition: number
}

export interface Verdict {
  readonly violations: readonly string[]
  /** Records beyond the first of their change. */
  readonly duplicates: number
}

/**
 * Compares what arrived with what was written. Pure. Per document: all in one partition; every change there, none
 * before its predecessor; a step back is a replay, and whatever is replayed follows without gap (G1, G2, G3, G5).
 */
export function judgeHistory(
  written: ReadonlyMap<string, readonly string[]>,
  seen: readonly Seen[],
  mayReplay: boolean,
): Verdict {
  const violations: string[] = []
  const places = new Map<string, { next: number; end: number; partition: number }>()
  let duplicates = 0
  for (const { document, change, partition } of seen) {
    const changes = written.get(document)
    const place = places.get(document) ?? { next: 0, end: 0, partition }
    places.set(document, place)
    if (place.partition !== partition)
      violations.push(`G2: ${document} is in partitions ${place.partition}, ${partition}`)
    const expected = changes?.[place.next]
    // A replay may begin at any earlier change; after that it goes on in order.
    const at = expected === change ? place.next : (changes?.lastIndexOf(change, place.next) ?? -1)
    if (at < 0) {
      violations.push(
        changes?.includes(change) ? `G2: ${document} jumps to ${change}` : `G5: ${document} never was ${change}`,
      )
      continue
    }
    if (at < place.end) duplicates++
    if (at < place.next && !mayReplay) violations.push(`G3: ${document} repeats ${change}`)
    place.next = at + 1
    place.end = Math.max(place.end, at + 1)
  }
  for (const [document, changes] of written) {
    const place = places.get(document)
    if (place?.next !== changes.length) {
      violations.push(`G1: ${document} ends at change ${place?.next ?? 0} of ${changes.length}`)
    }
  }
  return { violations, duplicates }
}
