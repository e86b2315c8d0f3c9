/** What was made of some bytes. */
interface Entry<T> {
  readonly hash: number
  readonly bytes: Buffer
  readonly value: T
  /** Another entry of the same hash. */
  readonly next: Entry<T> | undefined
}

const maxEntries = 10_000

/**
 * Values by their bytes: names that come again with every event are decoded once, and equal bytes give the very same
 * value. Forgets everything when it is full.
 */
export class Intern<T> {
  readonly #make: (bytes: Buffer, start: number, end: number) => T
  readonly #entries = new Map<number, Entry<T>>()
  /** Most events are like the one before. */
  #last: Entry<T> | undefined
  #size = 0

  constructor(make: (bytes: Buffer, start: number, end: number) => T) {
    this.#make = make
  }

  of(bytes: Buffer, start: number, end: number): T {
    if (this.#last && isSame(this.#last.bytes, bytes, start, end)) return this.#last.value
    const hash = fnv1a(bytes, start, end)
    let entry = this.#entries.get(hash)
    while (entry && !isSame(entry.bytes, bytes, start, end)) entry = entry.next
    this.#last = entry ?? this.#add(hash, bytes, start, end)
    return this.#last.value
  }

  #add(hash: number, bytes: Buffer, start: number, end: number): Entry<T> {
    if (this.#size >= maxEntries) {
      this.#entries.clear()
      this.#size = 0
    }
    const own = Buffer.from(bytes.subarray(start, end)) // A view would keep the whole reply alive.
    const entry = { hash, bytes: own, value: this.#make(own, 0, own.length), next: this.#entries.get(hash) }
    this.#entries.set(hash, entry)
    this.#size++
    return entry
  }
}

function isSame(known: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (known.length !== end - start) return false
  // From the end: names differ there more often than in front.
  for (let i = known.length - 1; i >= 0; i--) if (known[i] !== bytes[start + i]) return false
  return true
}

/** FNV-1a, 32 bits (draft-eastlake-fnv). */
function fnv1a(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash
}
