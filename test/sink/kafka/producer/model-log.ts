import { sequenceAfter } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import { type ReadBatch, readBatch } from './batch-reader.ts'

const remembered = 5

export type Outcome = 'commit' | 'abort'

interface Entry extends ReadBatch {
  readonly baseOffset: number
  /** How a transaction of that producer ended here; undefined: a batch of records. */
  readonly marker: Outcome | undefined
}

interface Answer {
  readonly code: number
  readonly baseOffset: number
  /** What the log has now and had not before. */
  readonly appended: ReadBatch | undefined
}

/**
 * The log of one partition with Kafka's check of an idempotent producer's sequence numbers and epochs
 * (ProducerAppendInfo and ProducerStateEntry): the last five batches of a producer are known again; anything that does
 * not follow the last one is out of order; a producer of whom the log has nothing may begin with any number, a new
 * epoch of one that it knows with 0, and an earlier epoch is refused.
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

  /** What is committed, or was never in a transaction; and whether no transaction is open, for which readers wait. */
  get committed(): { readonly values: readonly string[]; readonly isWhole: boolean } {
    const values: string[] = []
    let isWhole = true
    for (const [i, entry] of this.#entries.entries()) {
      if (entry.marker !== undefined) continue
      const isEnd = (other: Entry) => other.marker !== undefined && other.producerId === entry.producerId
      const end = entry.isTransactional ? this.#entries.slice(i).find(isEnd) : undefined
      const isOpen = entry.isTransactional && end === undefined
      if (isOpen) isWhole = false
      else if (end === undefined || end.marker === 'commit') values.push(...entry.values)
    }
    return { values, isWhole }
  }

  append(bytes: Buffer): Answer {
    const trouble = this.troubles.shift()
    if (trouble !== undefined && !trouble.appended) return refused(trouble.code)
    const batch = readBatch(bytes)
    const ofProducer = this.#entries.filter(entry => entry.producerId === batch.producerId)
    const producerEpoch = Math.max(-1, ...ofProducer.map(entry => entry.producerEpoch))
    if (batch.producerEpoch < producerEpoch) return refused(47)
    const own = ofProducer.filter(entry => entry.producerEpoch === batch.producerEpoch && entry.marker === undefined)
    const known = own
      .slice(-remembered)
      .find(({ baseSequence, count }) => baseSequence === batch.baseSequence && count === batch.count)
    if (known !== undefined) return { code: trouble?.code ?? 0, baseOffset: known.baseOffset, appended: undefined }
    const last = own.at(-1)
    if (last !== undefined && sequenceAfter(last.baseSequence, last.count) !== batch.baseSequence) return refused(45)
    const isNewEpoch = last === undefined && producerEpoch >= 0 && producerEpoch < batch.producerEpoch
    if (isNewEpoch && batch.baseSequence !== 0) return refused(45)
    return { code: trouble?.code ?? 0, baseOffset: this.#push(batch, undefined), appended: batch }
  }

  /** The coordinator's word on a transaction: every replica has it, and all that is before it. */
  mark(producerId: bigint, producerEpoch: number, marker: Outcome): void {
    const nothing = { isTransactional: true, baseSequence: -1, count: 1, values: [] }
    this.#push({ producerId, producerEpoch, ...nothing }, marker)
    this.commit()
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

  #push(batch: ReadBatch, marker: Outcome | undefined): number {
    const baseOffset = this.#endOffset
    this.#entries.push({ ...batch, baseOffset, marker })
    this.#endOffset += batch.count
    return baseOffset
  }
}

function refused(code: number): Answer {
  return { code, baseOffset: -1, appended: undefined }
}
