/**
 * What is under way, in the order in which it began. A Set, but for memory: when V8 moves the entries of one into
 * another table, which adding and deleting cause all the time, the table that is left keeps its entries and points at
 * the next one. Once a single table has lived long enough to be old, each that follows it outlives the collections of
 * the young generation, with everything that was ever under way (`OrderedHashTable` in V8's ordered-hash-table.h): a
 * daemon that waited once for its target kept all of MongoDB's replies until the next full collection.
 *
 * For what mostly ends in the order of its beginning: others are searched for.
 */
export class UnderWay<T> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  /** What began first. */
  get first(): T | undefined {
    return this.#items[0]
  }

  has(item: T): boolean {
    return this.#items.includes(item)
  }

  /** `item` must not be under way already. */
  begin(item: T): void {
    this.#items.push(item)
  }

  /** False where it was not under way. */
  end(item: T): boolean {
    const at = this.#items.indexOf(item)
    if (at === 0) this.#items.shift()
    else if (at > 0) this.#items.splice(at, 1)
    return at >= 0
  }

  /** Ends all; gives them in their order. */
  endAll(): T[] {
    return this.#items.splice(0)
  }

  [Symbol.iterator](): ArrayIterator<T> {
    return this.#items.values()
  }
}
