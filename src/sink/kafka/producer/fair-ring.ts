/** Items in the order of their coming, one of each owner in turn: who has many waiting does not hold up the others. */
export class FairRing<Owner, Item> {
  readonly #byOwner = new Map<Owner, Set<Item>>()

  get isEmpty(): boolean {
    return this.#byOwner.size === 0
  }

  /** The item whose turn it is. */
  get first(): Item | undefined {
    for (const items of this.#byOwner.values()) for (const item of items) return item
    return undefined
  }

  has(owner: Owner, item: Item): boolean {
    return this.#byOwner.get(owner)?.has(item) ?? false
  }

  add(owner: Owner, item: Item): void {
    const items = this.#byOwner.get(owner)
    if (items === undefined) this.#byOwner.set(owner, new Set([item]))
    else items.add(item)
  }

  /** Removes an item, and it is the next owner's turn. */
  take(owner: Owner, item: Item): void {
    const items = this.#byOwner.get(owner)
    if (!items?.delete(item)) return
    this.#byOwner.delete(owner)
    if (items.size > 0) this.#byOwner.set(owner, items)
  }

  /** Removes an item without its having had its turn. */
  remove(owner: Owner, item: Item): void {
    const items = this.#byOwner.get(owner)
    if (items?.delete(item) && items.size === 0) this.#byOwner.delete(owner)
  }

  /** Removes all. */
  clear(): Item[] {
    const items = [...this.#byOwner.values()].flatMap(set => [...set])
    this.#byOwner.clear()
    return items
  }
}
