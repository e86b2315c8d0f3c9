import { Fenced } from '../../src/errors.ts'
import type { Headers } from '../../src/record.ts'
import { type Schedule, unavailable } from './schedule.ts'

/** One record as it stands in the simulated Kafka. */
export interface Entry {
  readonly key: string
  /** The change's number in MongoDB's history, from 1; 0 where it is none. */
  readonly change: number
  readonly slot: number
  /** Of records; checkpoints and marks have none. */
  readonly topic?: string
  /** The epoch of the sink that wrote it. */
  readonly writer: number
  /** A checkpoint as its store wrote it, until something damages it. */
  checkpoint: string | undefined
  /** Where somebody may read it back. */
  readonly headers?: Headers
  readonly transaction: Transaction | undefined
}

export interface Transaction {
  readonly id: string
  readonly epoch: number
  state: 'open' | 'committed' | 'aborted'
  readonly logs: Set<Log>
  /** Where the marker of its end is still to be written. */
  readonly unmarked: Set<Log>
  readonly entries: Entry[]
}

/** A partition as a broker knows it that leads it, or believes so. */
export interface Knowledge {
  readonly highWatermark: number
  /** The offset of the first record of a transaction that has no marker here yet. */
  readonly lastStableOffset: number
  /** What a read-committed reader sees below offset `end`, or the last stable offset. */
  committed(end?: number): Entry[]
}

/** One partition. Markers take offsets, as in Kafka. */
export class Log implements Knowledge {
  readonly entries: (Entry | 'marker')[] = []
  /** The highest epoch of each transactional id that has written here, or whose transaction ended here. */
  readonly epochs = new Map<string, number>()
  /** Retention has removed what is before. */
  start = 0
  /** By slot, the epoch of the last sink that has read it back. */
  readonly readBack = new Map<number, number>()

  get highWatermark(): number {
    return this.entries.length
  }

  get lastStableOffset(): number {
    const first = this.entries.findIndex(entry => entry !== 'marker' && !isDecided(entry, this))
    return first < 0 ? this.entries.length : first
  }

  /** Produce, with the transaction of each entry. */
  append(id: string | undefined, epoch: number, entries: readonly Entry[]): void {
    if (id !== undefined) {
      if ((this.epochs.get(id) ?? -1) > epoch) throw fenced(id)
      this.epochs.set(id, epoch)
    }
    for (const entry of entries) {
      const { transaction } = entry
      if (transaction && transaction.state !== 'open' && !transaction.unmarked.has(this))
        throw unavailable('a late write')
      transaction?.entries.push(entry)
      this.entries.push(entry)
    }
  }

  /** A record of nobody, behind all that is there: its offset. */
  mark(slot: number): number {
    const entry = { key: 'mark', change: 0, slot, writer: 0, checkpoint: undefined, transaction: undefined }
    return this.entries.push(entry) - 1
  }

  committed(end = this.lastStableOffset): Entry[] {
    return this.entries.slice(0, end).filter(isCommitted)
  }

  /** What is known of it now, for good. */
  remembered(): Knowledge {
    const { highWatermark, lastStableOffset } = this
    const visible = this.entries.map(entry => (isCommitted(entry) ? [entry] : []))
    return { highWatermark, lastStableOffset, committed: (end = lastStableOffset) => visible.slice(0, end).flat() }
  }
}

function isCommitted(entry: Entry | 'marker'): entry is Entry {
  return entry !== 'marker' && (!entry.transaction || entry.transaction.state === 'committed')
}

function isDecided({ transaction }: Entry, log: Log): boolean {
  return !transaction || (transaction.state !== 'open' && !transaction.unmarked.has(log))
}

interface Producer {
  epoch: number
  transaction: Transaction | undefined
}

/**
 * Kafka's transactions as their protocol makes them (KIP-98): a coordinator with an epoch for each transactional id, a
 * transaction that is decided at once and marked in its partitions one by one, later. The marker of an aborted one
 * carries the successor's epoch; until it is there a fenced producer may still write into what is aborted already.
 */
export class Kafka {
  readonly data: readonly Log[]
  /** The topic of the dead letters. */
  readonly deadLetters: readonly Log[]
  readonly checkpoints: readonly Log[]
  /** Told of each transaction when its commit is decided. */
  onCommit: (transaction: Transaction) => void = () => undefined
  readonly #schedule: Schedule
  readonly #producers = new Map<string, Producer>()
  /** What brokers believe that led the checkpoints, were replaced while they were frozen, and have not heard of it. */
  #past: ReadonlyMap<Log, Knowledge> = new Map()
  #waiting: { readonly isOver: () => boolean; readonly resolve: () => void }[] = []

  constructor(schedule: Schedule, partitions: number, slots: number) {
    this.#schedule = schedule
    this.data = Array.from({ length: partitions }, () => new Log())
    this.deadLetters = Array.from({ length: partitions }, () => new Log())
    this.checkpoints = Array.from({ length: slots }, () => new Log())
  }

  /** The leaders of the checkpoints freeze and have successors at once; for a while after they wake up they do not know. */
  async replaceLeaders(): Promise<void> {
    const past = new Map(this.checkpoints.map(log => [log, log.remembered()]))
    for (let i = Math.floor(this.#schedule.random() * 60); i >= 0; i--) await this.#schedule.step('frozen leader')
    this.#past = past
    for (let i = Math.floor(this.#schedule.random() * 60); i >= 0; i--) await this.#schedule.step('woken leader')
    if (this.#past === past) this.#past = new Map()
  }

  /** Who answers a question about the partition: its leader, or for the time being somebody who believes to be that. */
  answering(log: Log): Knowledge {
    const past = this.#past.get(log)
    return past && this.#schedule.random() < 0.5 ? past : log
  }

  /** InitProducerId: a new epoch, which ends what an earlier one has left open. Use it once `settled`. */
  fence(id: string): number {
    const producer = this.#producer(id)
    producer.epoch += 1
    if (producer.transaction?.state === 'open') this.#end(producer.transaction, 'aborted', producer.epoch)
    return producer.epoch
  }

  /** Until then InitProducerId and AddPartitionsToTxn answer CONCURRENT_TRANSACTIONS. */
  settled(id: string): Promise<void> {
    return this.#until(() => (this.#producer(id).transaction?.unmarked.size ?? 0) === 0)
  }

  stable(log: Log, offset: number): Promise<void> {
    return this.#until(() => log.lastStableOffset >= offset)
  }

  /** AddPartitionsToTxn: the transaction that `log` now belongs to. */
  add(id: string, epoch: number, log: Log): Transaction {
    const producer = this.#producer(id)
    if (producer.epoch !== epoch) throw fenced(id)
    if (producer.transaction?.state !== 'open') {
      if ((producer.transaction?.unmarked.size ?? 0) > 0) throw unavailable('a concurrent transaction')
      producer.transaction = { id, epoch, state: 'open', logs: new Set(), unmarked: new Set(), entries: [] }
    }
    producer.transaction.logs.add(log)
    return producer.transaction
  }

  /** EndTxn with commit. */
  commit(id: string, epoch: number): void {
    const { epoch: latest, transaction } = this.#producer(id)
    if (latest !== epoch) throw fenced(id)
    if (transaction?.state !== 'open') throw unavailable('a commit without a transaction')
    this.#end(transaction, 'committed', epoch)
    this.onCommit(transaction)
  }

  /** The coordinator aborts what was open too long, with a new epoch: whoever left it open is fenced. */
  timeOut(transaction: Transaction): void {
    if (transaction.state === 'open') this.fence(transaction.id)
  }

  /** The transaction of the id that is neither committed nor aborted. */
  open(id: string): Transaction | undefined {
    const { transaction } = this.#producer(id)
    return transaction?.state === 'open' ? transaction : undefined
  }

  #producer(id: string): Producer {
    const producer = this.#producers.get(id) ?? { epoch: -1, transaction: undefined }
    this.#producers.set(id, producer)
    return producer
  }

  #end(transaction: Transaction, state: 'committed' | 'aborted', epoch: number): void {
    transaction.state = state
    for (const log of transaction.logs) {
      transaction.unmarked.add(log)
      void this.#schedule.step('marker').then(() => {
        log.entries.push('marker')
        log.epochs.set(transaction.id, Math.max(epoch, log.epochs.get(transaction.id) ?? -1))
        transaction.unmarked.delete(log)
        this.#wake()
      })
    }
  }

  #until(isOver: () => boolean): Promise<void> {
    if (isOver()) return Promise.resolve()
    return new Promise(resolve => this.#waiting.push({ isOver, resolve }))
  }

  #wake(): void {
    const over = this.#waiting.filter(({ isOver }) => isOver())
    this.#waiting = this.#waiting.filter(each => !over.includes(each))
    for (const { resolve } of over) resolve()
  }
}

function fenced(id: string): Fenced {
  return new Fenced('SINK_FENCED', `another producer has taken ${id} over`)
}
