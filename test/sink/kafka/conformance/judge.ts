/** What reading everything to its end has shown. Counts are records. */
export interface Verdict {
  readonly records: number
  /** Sent and not there. */
  readonly lost: number
  /** There a second time. */
  readonly duplicated: number
  /** Standing after a record of their key that is neither their predecessor nor the end of what is repeated. */
  readonly outOfOrder: number
  /** With a key or a number that nobody sent, or in the wrong partition. */
  readonly foreign: number
}

/**
 * Judges the records of each key by their numbers, which count up from 0, in the order in which the log has them. A
 * step back to a number that was seen before is a replay, which must go on without gap from there.
 */
export class Judge {
  readonly #expected: ReadonlyMap<string, number>
  readonly #seen = new Map<string, Set<number>>()
  readonly #next = new Map<string, number>()
  #records = 0
  #duplicated = 0
  #outOfOrder = 0
  #foreign = 0

  /** How many records each key was sent. */
  constructor(expected: ReadonlyMap<string, number>) {
    this.#expected = expected
    for (const key of expected.keys()) this.#seen.set(key, new Set())
  }

  see(key: string, number: number): void {
    this.#records += 1
    const seen = this.#seen.get(key)
    if (seen === undefined || number >= (this.#expected.get(key) ?? 0)) {
      this.#foreign += 1
      return
    }
    const next = this.#next.get(key) ?? 0
    const again = seen.has(number)
    if (again) this.#duplicated += 1
    if (number > next || (number < next && !again)) this.#outOfOrder += 1
    seen.add(number)
    this.#next.set(key, number + 1)
  }

  get verdict(): Verdict {
    let lost = 0
    for (const [key, count] of this.#expected) lost += count - (this.#seen.get(key)?.size ?? 0)
    const [records, duplicated] = [this.#records, this.#duplicated]
    return { records, lost, duplicated, outOfOrder: this.#outOfOrder, foreign: this.#foreign }
  }
}
