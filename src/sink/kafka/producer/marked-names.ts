const maxNames = 10_000

/**
 * A set of names that is emptied again and again, and holds much the same names each time: to begin anew takes a number
 * instead of a new table.
 */
export class MarkedNames {
  readonly #marks = new Map<string, number>()
  #mark = 0

  /** From here on it is empty. */
  begin(): void {
    this.#mark += 1
    if (this.#marks.size > maxNames) this.#marks.clear()
  }

  has(name: string): boolean {
    return this.#marks.get(name) === this.#mark
  }

  add(name: string): void {
    this.#marks.set(name, this.#mark)
  }
}
