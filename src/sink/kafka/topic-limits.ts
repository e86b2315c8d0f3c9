/** Kept free below a topic's max.message.bytes: what a broker adds when it converts or stamps a batch. */
const headroomBytes = 1024
const smallestBytes = 4096
/** Where one record is looked for, three or four steps find it: each costs a replay from the checkpoint. */
const suspectedShare = 16

/**
 * How large a record batch of each topic may become. Outlives the sinks: a batch that was refused as too large makes
 * the limit smaller, so that the replay comes in smaller batches, down to the one record that is to blame.
 */
export class TopicLimits {
  #batchBytes: number
  readonly #limits = new Map<string, number>()
  /** Limits that refusals have taught. What the topic says does not lift them: it is not the whole truth. */
  readonly #refused = new Map<string, number>()
  /** Limits while a record is looked for that was refused without being named. */
  readonly #suspected = new Map<string, number>()

  constructor(batchBytes: number) {
    this.#batchBytes = batchBytes
  }

  get(topic: string): number {
    const limit = this.#limits.get(topic) ?? Math.max(smallestBytes, this.#batchBytes - headroomBytes)
    return Math.min(limit, this.#refused.get(topic) ?? limit, this.#suspected.get(topic) ?? limit)
  }

  /** What the target takes in one request at most; before anything is sent. */
  bound(batchBytes: number): void {
    this.#batchBytes = Math.min(this.#batchBytes, batchBytes)
  }

  /** What the topic itself says replaces what was guessed. */
  learn(topic: string, maxMessageBytes: number): void {
    this.#limits.set(topic, Math.min(this.#batchBytes, maxMessageBytes) - headroomBytes)
  }

  /** The broker refused a batch of several records: those of its topic become half as large as it was. */
  refusedBatch(topic: string, sizeBytes: number): void {
    this.#refused.set(topic, Math.floor(Math.min(this.get(topic), sizeBytes) / 2))
  }

  /** The broker refused one of several records without saying which: batches become smaller until it is alone. */
  suspectedBatch(topic: string, sizeBytes: number): void {
    this.#suspected.set(topic, Math.floor(Math.min(this.get(topic), sizeBytes) / suspectedShare))
  }

  /** It was found: batches are as large as before. */
  foundRecord(topic: string): void {
    this.#suspected.delete(topic)
  }
}
