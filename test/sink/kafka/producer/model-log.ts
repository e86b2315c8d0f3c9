import { sequenceAfter } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import { type ReadBatch, readBatch } from './batch-reader.ts'

const remembered = 5

interface Entry extends ReadBatch {
  readonly baseOffset: number
}

/**
 * The log of one partition with Kafka's check of an idempotent producer's sequence numbers (ProducerAppendInfo and
 * ProducerStateEntry): the last five batches of a producer are known again; anything that does not follow the last one
 * is out of order; a producer of whom the log has nothing may begin with any number.
 */
export class ModelLog {
  leader: number
  /** Counts the leaders: who led in an earlier epoch cannot say that a batch is safe, even if it leads again. */
  epoch = 0
  readonly #entries: Entry[] = []
  /** Entries that every replica has; the others are lost if the leader moves. */
  #committed = 0
  #endOffset = 0
  /** Codes that the next batches are answered with, oldest first, and whether they are appended all the same. */
  readonly troubles: { readonly code: number; readonly appended: boolean }[] = []

  constructor(leader: number) {
    this.leader = leader
  }

  /** Values of the records of one producer, in the order of the log. */
  valuesOf(producerId: bigint): string[] {
    return this.#entries.filter(entry => entry.producerId === producerId).flatMap(({ values }) => values)
  }

  /** Records in each batch, in the order of the log. */
  get batchSizes(): number[] {
    return this.#entries.map(({ count }) => count)
  }

  append(bytes: Buffer): { readonly code: number; readonly baseOffset: number } {
    const trouble = this.troubles.shift()
    if (trouble !== undefined && !trouble.appended) return { code: trouble.code, baseOffset: -1 }
    const batch = readBatch(bytes)
    const own = this.#entries.filter(entry => entry.producerId === batch.producerId)
    const known = own
      .slice(-remembered)
      .find(({ baseSequence, count }) => baseSequence === batch.baseSequence && count === batch.count)
    if (known !== undefined) return { code: trouble?.code ?? 0, baseOffset: known.baseOffset }
    const last = own.at(-1)
    if (last !== undefined && sequenceAfter(last.baseSequence, last.count) !== batch.baseSequence) {
      return { code: 45, baseOffset: -1 }
    }
    const baseOffset = this.#endOffset
    this.#entries.push({ ...batch, baseOffset })
    this.#endOffset += batch.count
    return { code: trouble?.code ?? 0, baseOffset }
  }

  /** All replicas have everything. */
  commit(): void {
    this.#committed = this.#entries.length
  }

  /** Another broker leads from now on (-1: none for the time being); it has `share` of what was not committed. */
  move(leader: number, share: number): void {
    const uncommitted = this.#entries.length - this.#committed
    const lost = this.#entries.splice(this.#committed + Math.floor(share * uncommitted))
    for (const { count } of lost) this.#endOffset -= count
    this.commit()
    this.leader = leader
    this.epoch += 1
  }
}
