/** One owner's items, in the order of their coming. */
interface Line<Owner, Item> {
  readonly owner: Owner
  readonly items: Set<Item>
}

/**
 * Items in the order of their coming, one of each owner in turn: who has many waiting does not hold up the others.
 *
 * Owners come and go thousands of times a second, each with an item or two. So a line is kept while it is empty, until
 * its last item is removed without a turn, and nothing is made anew but when there are more owners than ever before.
 */
export class FairRing<Owner, Item> {
  readonly #lines = new Map<Owner, Line<Owner, Item>>()
  /** A ring: of `#length` lines with items the first is at `#head`. Its size is a power of two. */
  #turns: (Line<Owner, Item> | undefined)[] = Array.from({ length: 16 }, () => undefined)
  #head = 0
  #length = 0

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** The item whose turn it is. */
  get first(): Item | undefined {
    return this.#length === 0 ? undefined : firstOf(this.#turns[this.#head]!)
  }

  has(owner: Owner, item: Item): boolean {
    return this.#lines.get(owner)?.items.has(item) ?? false
  }

  add(owner: Owner, item: Item): void {
    let line = this.#lines.get(owner)
    if (line === undefined) {
      line = { owner, items: new Set() }
      this.#lines.set(owner, line)
    }
    if (line.items.size === 0) this.#queue(line)
    line.items.add(item)
  }

  /** Takes out the item whose turn it is; the next turn is that of the next owner. */
  take(): Item | undefined {
    if (this.#length === 0) return undefined
    const line = this.#turns[this.#head]!
    const item = firstOf(line)!
    line.items.delete(item)
    this.#turns[this.#head] = undefined
    this.#head = (this.#head + 1) & (this.#turns.length - 1)
    this.#length -= 1
    if (line.items.size > 0) this.#queue(line)
    return item
  }

  /** Removes an item without its having had its turn. */
  remove(owner: Owner, item: Item): void {
    const line = this.#lines.get(owner)
    if (line === undefined) return
    const waits = line.items.delete(item)
    if (line.items.size > 0) return
    this.#lines.delete(owner)
    if (waits) this.#unqueue(line)
  }

  /** All of them, in no order. */
  get all(): Item[] {
    return [...this.#lines.values()].flatMap(line => [...line.items])
  }

  /** Removes all. */
  clear(): Item[] {
    const items = this.all
    this.#lines.clear()
    this.#turns.fill(undefined)
    this.#length = 0
    return items
  }

  #queue(line: Line<Owner, Item>): void {
    if (this.#length === this.#turns.length) this.#restack(this.#inOrder(), 2 * this.#length)
    this.#turns[(this.#head + this.#length) & (this.#turns.length - 1)] = line
    this.#length += 1
  }

  #unqueue(line: Line<Owner, Item>): void {
    const others = this.#inOrder().filter(one => one !== line)
    this.#restack(others, this.#turns.length)
  }

  #inOrder(): Line<Owner, Item>[] {
    return Array.from({ length: this.#length }, (_, i) => this.#turns[(this.#head + i) & (this.#turns.length - 1)]!)
  }

  #restack(lines: readonly Line<Owner, Item>[], size: number): void {
    this.#turns = Array.from({ length: size }, (_, i) => lines[i])
    this.#head = 0
    this.#length = lines.length
  }
}

function firstOf<Owner, Item>({ items }: Line<Owner, Item>): Item | undefined {
  for (const item of items) return item
  return undefined
}
