import { type Clock, steady } from '../../../clock.ts'
import { type Fault, Retryable } from '../../../errors.ts'
import { faultOf } from '../classify.ts'
import type { TransactionalIdentity } from '../wire.ts'
import { Alarm } from './alarm.ts'
import type { Coordinators } from './coordinators.ts'
import type { Lane } from './lane.ts'
import type { QueuedBatch } from './queued-batch.ts'
import { Transaction } from './transaction.ts'

/** Of the transaction's timeout: what is not committed by then is given up by us, before the coordinator does it. */
const patience = 0.8

export interface TransactionsParts {
  readonly identity: TransactionalIdentity
  readonly coordinators: Coordinators
  /** After so long the coordinator aborts a transaction that was not ended. */
  readonly transactionTimeoutMs: number
  readonly clock: Clock
  /** The lane may have something to send. */
  readonly offer: (lane: Lane) => void
  /** The producer cannot go on. */
  readonly fail: (fault: Fault) => void
  /** Nor can it wait for the answers that are still to come. */
  readonly giveUp: (fault: Fault) => void
}

/**
 * The transactions of one producer, under one epoch. The present one goes through these phases:
 *
 * | phase  | on the wire                                                          | next                        |
 * |--------|----------------------------------------------------------------------|-----------------------------|
 * | begun  | AddPartitionsToTxn, one at a time, for the partitions that have a    | ending, when its commit was |
 * |        | batch; the batches of those that were added                          | asked for and the last      |
 * |        |                                                                      | batch is acknowledged       |
 * | ending | EndTxn, and nothing else                                             | gone: the next is present   |
 *
 * Batches of later transactions wait in their queues. Nothing is ever aborted and gone on with: an error ends the
 * producer, and its successor's InitProducerId settles what is open (design decision 5).
 */
export class Transactions {
  readonly #parts: TransactionsParts
  readonly #clock: Clock
  /** The first is the present one, the last takes records. */
  readonly #queue: Transaction[] = [new Transaction()]
  readonly #ended = new AbortController()
  readonly #deadline: Alarm
  /** Of the records that came with the last commit: they will come with the next one too. */
  #commitLanes: ReadonlySet<Lane> = new Set()
  #addQueued = false
  #adding: Promise<void> | undefined
  #isEnding = false
  /** When its deadline was looked at, the coordinator could have aborted it already. */
  #overdue: Transaction | undefined
  /** A connection was lost with batches on it, which may still arrive: after an abort they would open a transaction. */
  #isDoubtful = false

  constructor(parts: TransactionsParts) {
    this.#parts = parts
    this.#clock = steady(parts.clock)
    this.#deadline = new Alarm(this.#clock, () => this.#checkDeadline())
  }

  /** A new batch of `lane`: it belongs to the transaction that takes records. */
  begin(lane: Lane, batch: QueuedBatch): void {
    const filling = this.#queue.at(-1)!
    batch.transaction = filling
    filling.openBatches += 1
    filling.lanes.add(lane)
    if (filling === this.#present) this.#add()
  }

  /** Whether the batch may go on the wire: its transaction is the present one, and its partition was added to it. */
  admits(lane: Lane, batch: QueuedBatch): boolean {
    const present = this.#present
    return batch.transaction === present && present.added.has(lane)
  }

  acknowledged(batch: QueuedBatch): void {
    if (batch.transaction === undefined) return
    batch.transaction.openBatches -= 1
    this.#endIfDone()
  }

  /**
   * What was begun until now is committed as one; `onCommitted` is called then. `commitLanes`: those of the records
   * that came last.
   */
  commit(commitLanes: ReadonlySet<Lane>, onCommitted: () => void): void {
    const filled = this.#queue.at(-1)!
    filled.onCommitted = onCommitted
    this.#commitLanes = commitLanes
    this.#queue.push(new Transaction())
    for (const lane of filled.lanes) {
      const { open } = lane.queue
      if (open === undefined) continue
      lane.queue.close(open) // What comes now belongs to the next transaction.
      this.#parts.offer(lane)
    }
    this.#endIfDone()
  }

  /**
   * How long the coordinator has known the present transaction, milliseconds; 0: it knows of none. By whichever clock
   * says more: the steady one may stand still while the machine sleeps, the other be set. Too much costs one question.
   */
  get openMs(): number {
    const { begunMs, begunTimeOfDayMs } = this.#present
    if (begunMs === undefined) return 0
    return Math.max(this.#clock.nowMs() - begunMs, this.#parts.clock.nowMs() - begunTimeOfDayMs)
  }

  /** The coordinator has had it for longer than its timeout, and may have ended it itself. */
  get isOverdue(): boolean {
    return this.#present.added.size > 0 && this.openMs >= this.#parts.transactionTimeoutMs
  }

  /** Batches went without an answer. */
  doubt(): void {
    this.#isDoubtful = true
  }

  /** Nothing more is asked of the coordinator, but by `abort`. */
  end(): void {
    this.#deadline.stop()
    this.#ended.abort(new Retryable('SINK_UNAVAILABLE', 'the producer has ended'))
  }

  /**
   * After the end, and with nothing on the wire: aborts what is open, so that its readers need not wait for the
   * timeout. Not where an EndTxn or a batch may still be on the way. Never rejects: the successor settles it too.
   */
  async abort(signal: AbortSignal): Promise<void> {
    const { coordinators, identity } = this.#parts
    await this.#adding
    if (this.#present.begunMs === undefined || this.#isEnding || this.#isDoubtful) return
    try {
      const { transactionalId } = identity
      await coordinators.ask(transactionalId, to => to.endTransaction(identity, 'abort'), 'never', signal)
    } catch {
      // It is open until the successor opens or the timeout passes.
    }
  }

  get #present(): Transaction {
    return this.#queue[0]!
  }

  /** After everything that happens in this turn of the event loop: partitions that come together go together. */
  #add(): void {
    if (this.#addQueued) return
    this.#addQueued = true
    queueMicrotask(() => {
      this.#addQueued = false
      if (this.#adding !== undefined || this.#ended.signal.aborted) return
      const missing = this.#missing()
      if (missing.length > 0) this.#adding = this.#addPartitions(this.#present, missing)
    })
  }

  /** Lanes of the present transaction that were not added; with the first of them those of its commit, in advance. */
  #missing(): readonly Lane[] {
    const { lanes, added, begunMs } = this.#present
    const missing = [...lanes].filter(lane => !added.has(lane))
    if (missing.length === 0 || begunMs !== undefined) return missing
    return [...new Set([...missing, ...this.#commitLanes])]
  }

  async #addPartitions(present: Transaction, lanes: readonly Lane[]): Promise<void> {
    const { coordinators, identity, clock, transactionTimeoutMs, offer } = this.#parts
    if (present.begunMs === undefined) {
      present.begunMs = this.#clock.nowMs()
      present.begunTimeOfDayMs = clock.nowMs()
      this.#deadline.set(present.begunMs + patience * transactionTimeoutMs)
    }
    try {
      const { transactionalId } = identity
      const { signal } = this.#ended
      await coordinators.ask(transactionalId, to => to.addPartitions(identity, lanes), 'never', signal)
    } catch (error) {
      this.#adding = undefined
      if (this.#ended.signal.aborted) return
      this.doubt() // Whether the coordinator has it is its successor's business.
      this.#parts.fail(faultOf(error, 'add partitions to a transaction'))
      return
    }
    this.#adding = undefined
    for (const lane of lanes) present.added.add(lane)
    for (const lane of lanes) offer(lane)
    this.#add()
    this.#endIfDone()
  }

  /** Ends the present transaction when nothing of it is open any more, and as many after it as were empty. */
  #endIfDone(): void {
    for (;;) {
      const { onCommitted, openBatches, begunMs } = this.#present
      if (onCommitted === undefined || openBatches > 0 || this.#adding !== undefined || this.#isEnding) return
      if (this.#ended.signal.aborted) return
      if (begunMs !== undefined) {
        this.#isEnding = true
        void this.#commitPresent()
        return
      }
      this.#advance() // It has had no record: the coordinator does not know of it.
    }
  }

  async #commitPresent(): Promise<void> {
    const { coordinators, identity, fail } = this.#parts
    const { transactionalId } = identity
    try {
      const { signal } = this.#ended
      await coordinators.ask(transactionalId, to => to.endTransaction(identity, 'commit'), 'never', signal)
    } catch (error) {
      // The mark that it is ending stays: nobody knows whether it is committed.
      if (!this.#ended.signal.aborted) fail(faultOf(error, 'commit a transaction'))
      return
    }
    if (this.#ended.signal.aborted) return
    this.#isEnding = false
    this.#deadline.stop()
    this.#advance()
    this.#endIfDone()
  }

  /** The present transaction is over: the next one's batches may go. */
  #advance(): void {
    const over = this.#queue.shift()!
    over.onCommitted?.()
    if (this.#present.lanes.size > 0) this.#add()
  }

  /**
   * Gives up in time. A process that was stopped until the coordinator may have aborted the transaction must not take
   * its own lateness for the reason: a successor may have taken over, which the coordinator says if it is asked. It
   * gets as long again for that.
   */
  #checkDeadline(): void {
    const { transactionTimeoutMs, giveUp } = this.#parts
    const present = this.#present
    if (present.begunMs === undefined) return
    const { openMs } = this
    const leftMs = patience * transactionTimeoutMs - openMs
    const nowMs = this.#clock.nowMs()
    if (leftMs > 0) this.#deadline.set(nowMs + leftMs)
    else if (openMs < transactionTimeoutMs || present === this.#overdue) {
      giveUp(new Retryable('SINK_UNAVAILABLE', `a transaction was not committed within ${Math.round(openMs)} ms`))
    } else {
      this.#overdue = present
      this.#deadline.set(nowMs + transactionTimeoutMs)
    }
  }
}
