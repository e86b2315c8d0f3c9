/** Few: nobody knows yet how large they are. It takes five replies to the full size. */
const startEvents = 100

/** A batch is divided among those who read the stream; this many get their share of one of the usual size. */
const usualReaders = 32
/** Replies of so many times the usual size at most: two or three of them are in memory at a time. */
const mostTimes = 3

/**
 * How many events to ask for so that a reply has about `targetBytes`. MongoDB takes a number of events only, answers
 * with those that are there, and ends a reply at 16 MB whatever we asked for: that is the bound where sizes jump.
 */
export class BatchSize {
  readonly #targetBytes: number
  readonly #maxEvents: number
  #eventBytes: number

  constructor(targetBytes: number, maxEvents: number) {
    this.#targetBytes = targetBytes
    this.#maxEvents = maxEvents
    this.#eventBytes = targetBytes / startEvents
  }

  get events(): number {
    return this.eventsFor(1)
  }

  /**
   * For a reply that is dealt out among `readers`. What a batch costs each of them, however few of its events are
   * theirs, is a hundred times that with a hundred: many are better served with larger ones.
   */
  eventsFor(readers: number): number {
    const times = Math.min(mostTimes, Math.max(1, readers / usualReaders))
    return Math.max(1, Math.floor(times * Math.min(this.#maxEvents, this.#targetBytes / this.#eventBytes)))
  }

  /** Told of every reply. Larger events count at once, smaller ones by and by: memory goes before speed. */
  received(events: number, bytes: number): void {
    if (events === 0) return
    const eventBytes = bytes / events
    this.#eventBytes = Math.max(eventBytes, (this.#eventBytes + eventBytes) / 2)
  }
}
