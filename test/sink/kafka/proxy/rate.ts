/** What each partition has taken in the second that began with its first batch. */
export class Rate {
  readonly #perSecond: number
  readonly #seconds = new Map<string, { beganMs: number; bytes: number }>()

  constructor(perSecond: number) {
    this.#perSecond = perSecond
  }

  /**
   * How long until the partition takes `bytes` more, in milliseconds; 0: it has taken them now. What is more than it
   * takes in a whole second passes alone.
   */
  take(place: string, bytes: number, nowMs: number): number {
    const second = this.#seconds.get(place)
    if (second === undefined || nowMs - second.beganMs >= 1000) {
      this.#seconds.set(place, { beganMs: nowMs, bytes })
      return 0
    }
    if (second.bytes + bytes > this.#perSecond) return second.beganMs + 1000 - nowMs
    second.bytes += bytes
    return 0
  }
}
