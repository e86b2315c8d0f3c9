import type { Clock } from '../../clock.ts'

/** Of what a partition takes in a second, what we give it: batches are not evenly spread over its second. */
const share = 0.9
/** Of the same, the largest batch: any second then holds at most `share` and this, which is all. */
const batchShare = 0.1

/** The largest batch for a partition that takes `bytesPerSecond`. */
export function pacedBatchBytes(bytesPerSecond: number): number {
  return Math.floor(batchShare * bytesPerSecond)
}

/** How many partitions take `bytesPerSecond`, where each takes `partitionBytesPerSecond`. */
export function partitionsFor(bytesPerSecond: number, partitionBytesPerSecond: number): number {
  return Math.max(1, Math.ceil(bytesPerSecond / (share * partitionBytesPerSecond)))
}

/** Told of each batch when its turn has come. */
export type OnTurn = (topic: string, bytes: number, waitedMs: number) => void

/**
 * Gives each partition at most so many bytes a second, over all sinks of the target. Other writers, such as workers
 * that share the slots, are not known here: where all of them together are too fast, the target throttles.
 */
export class Pacing {
  readonly #bytesPerMs: number
  readonly #clock: Pick<Clock, 'nowMs' | 'sleep'>
  readonly #onTurn: OnTurn
  /** From when on each partition may be sent more, milliseconds since the Unix epoch. */
  readonly #freeAtMs = new Map<string, number[]>()

  constructor(partitionBytesPerSecond: number, clock: Pick<Clock, 'nowMs' | 'sleep'>, onTurn: OnTurn = () => {}) {
    this.#bytesPerMs = (share * partitionBytesPerSecond) / 1000
    this.#clock = clock
    this.#onTurn = onTurn
  }

  /**
   * Resolves when `bytes` may be sent, to how long that took in milliseconds. Turns of a partition come in call order.
   * An aborted `signal` rejects with its reason; what was taken is then not given back.
   */
  async turn(topic: string, partition: number, bytes: number, signal: AbortSignal): Promise<number> {
    const ofTopic = this.#freeAtMs.get(topic) ?? []
    this.#freeAtMs.set(topic, ofTopic)
    const nowMs = this.#clock.nowMs()
    const atMs = Math.max(nowMs, ofTopic[partition] ?? 0)
    ofTopic[partition] = atMs + bytes / this.#bytesPerMs
    const waitMs = atMs - nowMs
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
    this.#onTurn(topic, bytes, waitMs)
    return waitMs
  }
}
