import type { FetchedRecord } from './fetch-connection.ts'
import type { Change, Journal, Seen } from './journal.ts'
import { seenOf } from './seen.ts'

/** How many of the first changes after a moment must be there before it counts as recovered. */
const sampleSize = 24

/** What the reader has seen, and when each change came first. */
export class Arrivals {
  readonly seen: Seen[] = []
  /** Records beyond the first of their change. */
  duplicates = 0
  readonly #first = new Map<string, number>()
  readonly #slots = new Map<string, number>()

  add(topic: string, partition: number, record: FetchedRecord): void {
    const seen = seenOf(topic, partition, record)
    this.seen.push(seen)
    const change = `${seen.key}@${seen.version}`
    if (this.#first.has(change)) this.duplicates += 1
    else this.#first.set(change, seen.atMs)
    this.#slots.set(seen.key, Number(seen.source.slice(seen.source.lastIndexOf('/') + 1)))
  }

  /** Since when nothing has come. */
  get quietMs(): number {
    return Date.now() - (this.seen.at(-1)?.atMs ?? 0)
  }

  /** The slot that a key's records name; -1 where there are none. */
  slotOf(key: string): number {
    return this.#slots.get(key) ?? -1
  }

  /** A change that has not arrived; undefined: all have. */
  missing(journal: Journal): string | undefined {
    for (const [key, changes] of journal) {
      const last = changes.at(-1)
      if (last !== undefined && !this.#first.has(`${key}@${last.version}`)) return `${key}@${last.version}`
    }
    return undefined
  }

  /** Whether there are enough changes acknowledged after `sinceMs` for `delayMs`. */
  hasSample(journal: Journal, sinceMs: number): boolean {
    return firstAfter(journal, sinceMs).length >= sampleSize
  }

  /**
   * The longest way of the first changes acknowledged after `sinceMs`, in milliseconds; undefined while there are too
   * few of them, or one has not arrived.
   */
  delayMs(journal: Journal, sinceMs: number): number | undefined {
    const sample = firstAfter(journal, sinceMs)
    if (sample.length < sampleSize) return undefined
    let worst = 0
    for (const { key, version, atMs } of sample.slice(0, sampleSize)) {
      const arrivedMs = this.#first.get(`${key}@${version}`)
      if (arrivedMs === undefined) return undefined
      worst = Math.max(worst, arrivedMs - atMs)
    }
    return worst
  }
}

function firstAfter(journal: Journal, sinceMs: number): Change[] {
  const found: Change[] = []
  for (const changes of journal.values()) {
    for (let i = changes.length - 1; i >= 0 && changes[i]!.atMs >= sinceMs; i--) found.push(changes[i]!)
  }
  return found.sort((a, b) => a.atMs - b.atMs)
}
