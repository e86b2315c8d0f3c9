/** Few: nobody knows yet how large they are. It takes five replies to the full size. */
const startEvents = 100

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
    return Math.max(1, Math.min(this.#maxEvents, Math.floor(this.#targetBytes / this.#eventBytes)))
  }

  /** Told of every reply. Larger events count at once, smaller ones by and by: memory goes before speed. */
  received(events: number, bytes: number): void {
    if (events === 0) return
    const eventBytes = bytes / events
    this.#eventBytes = Math.max(eventBytes, (this.#eventBytes + eventBytes) / 2)
  }
}
