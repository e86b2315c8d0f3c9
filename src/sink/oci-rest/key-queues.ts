/** A message that waits for its acknowledgement. */
export interface Queued<C> {
  /** Its key as text, equal for equal bytes. */
  readonly key: string
  /** As a member of the request. */
  readonly json: string
  /** What counts for the limit of a request: key and value before base64. */
  readonly sizeBytes: number
  readonly caller: C
}

interface Line<C> {
  readonly queue: Queued<C>[]
  /** Index of the first that is not acknowledged. */
  head: number
}

/** Lines shorter than this are not worth to be cut. */
const cutFrom = 64

/**
 * Messages by key, each key's in their order. A request takes at most the first message of a key, and the key's next one
 * only once that is acknowledged. So an entry that fails inside of a request that succeeds is never overtaken by a later
 * one of its key, in this request or in another that is under way meanwhile (G2). A key that changes more often than
 * the service answers is limited to one message a round trip: the price of a service that may take the second of two
 * messages and refuse the first.
 *
 * Pure: knows neither time nor network. A key is in one place at a time: ready, under way, or held.
 */
export class KeyQueues<C> {
  readonly #lines = new Map<string, Line<C>>()
  /** Keys whose first message may be sent, the one that waits longest first. */
  #ready: string[] = []
  #readyHead = 0
  #count = 0

  /** Messages that are not acknowledged, those under way included. */
  get count(): number {
    return this.#count
  }

  get hasReady(): boolean {
    return this.#readyHead < this.#ready.length
  }

  push(message: Queued<C>): void {
    this.#count += 1
    const line = this.#lines.get(message.key)
    if (line !== undefined) {
      line.queue.push(message)
      return
    }
    this.#lines.set(message.key, { queue: [message], head: 0 })
    this.#ready.push(message.key)
  }

  /** The messages of the next request: at least one where any is ready, then as many as `limitBytes` and `most` let in. */
  take(limitBytes: number, most: number): Queued<C>[] {
    const taken: Queued<C>[] = []
    let bytes = 0
    while (this.hasReady && taken.length < most) {
      const message = this.#first(this.#ready[this.#readyHead]!)
      if (taken.length > 0 && bytes + message.sizeBytes > limitBytes) break
      bytes += message.sizeBytes
      taken.push(message)
      this.#readyHead += 1
    }
    if (this.#readyHead > cutFrom && 2 * this.#readyHead > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#readyHead)
      this.#readyHead = 0
    }
    return taken
  }

  /** A message that was taken is stored; the next one of its key may go. */
  acknowledge({ key }: Queued<C>): void {
    const line = this.#lines.get(key)!
    this.#count -= 1
    line.head += 1
    if (line.head === line.queue.length) {
      this.#lines.delete(key)
      return
    }
    if (line.head > cutFrom && 2 * line.head > line.queue.length) {
      line.queue.splice(0, line.head)
      line.head = 0
    }
    this.#ready.push(key)
  }

  /** A message that was taken is not stored, and may go again. Until this is called its key is held. */
  release({ key }: Queued<C>): void {
    this.#ready.push(key)
  }

  clear(): void {
    this.#lines.clear()
    this.#ready = []
    this.#readyHead = 0
    this.#count = 0
  }

  #first(key: string): Queued<C> {
    const line = this.#lines.get(key)!
    return line.queue[line.head]!
  }
}
