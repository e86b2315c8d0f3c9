/** Counts writes that are under way, so that somebody can wait for all of them. Not one promise a write is kept. */
export class Writes {
  #open = 0
  #none: PromiseWithResolvers<void> | undefined

  began(): void {
    this.#open += 1
  }

  ended(): void {
    this.#open -= 1
    if (this.#open === 0) this.#none?.resolve()
  }

  /** Resolves when none is under way; to be asked for when no more begin. */
  get settled(): Promise<void> {
    if (this.#open === 0) return Promise.resolve()
    this.#none ??= Promise.withResolvers<void>()
    return this.#none.promise
  }
}
