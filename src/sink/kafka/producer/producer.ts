import { type Clock, steady } from '../../../clock.ts'
import { asFault, Configuration, type Fault, Fenced, Retryable } from '../../../errors.ts'
import type { Records } from '../../../record.ts'
import { RecordBatch } from '../record-batch/record-batch.ts'
import { type Call, Calls } from './call.ts'
import { DeliveryDeadline } from './delivery-deadline.ts'
import { judgeFence } from './judge-fence.ts'
import type { Lane, LaneOwner } from './lane.ts'
import { Lanes } from './lanes.ts'
import { openTransactions } from './open-transactions.ts'
import { PartitionQueue } from './partition-queue.ts'
import { meaningOf, nameOf, networkException, throttlingQuotaExceeded } from './produce-errors.ts'
import type { ProducerParts } from './producer-parts.ts'
import { QueuedBatch } from './queued-batch.ts'
import { fencedOr, impossibleRecord, lateFault, refusalOf } from './refusals.ts'
import type { Transactions } from './transactions.ts'

/** How long `dispose` waits for answers before it closes the connections that carry something of the producer. */
const closeLimitMs = 3_000

/**
 * An idempotent producer: one identity, and for each partition a queue of record batches that are in order, sent as
 * five at a time at most, and sent again as they are until they are acknowledged. Whatever would need a new identity
 * ends it: the caller replays from its last checkpoint with a new one.
 */
export class Producer implements LaneOwner, AsyncDisposable {
  readonly #parts: ProducerParts
  /** For what waits; that of `parts` tells the time of day, which records have. */
  readonly #clock: Clock
  readonly #lanes: Lanes
  readonly #transactions: Transactions | undefined
  readonly #calls = new Calls()
  readonly #deadline: DeliveryDeadline
  /** Resolves when the producer has ended, nothing of it is on the wire and nothing will be. */
  readonly #quiet = Promise.withResolvers<void>()
  #queuedBytes = 0
  #inFlight = 0
  #throttledUntilMs = 0
  #ended: { readonly reason: unknown } | undefined

  constructor(parts: ProducerParts) {
    this.#parts = parts
    this.#lanes = new Lanes(this, () => parts.createQueue?.() ?? new PartitionQueue(0))
    this.#transactions = openTransactions(parts, this.fail.bind(this), this.#giveUp.bind(this))
    const { settings } = parts
    const clock = steady(parts.clock)
    this.#clock = clock
    const limitMs = settings.deliveryTimeoutMs
    const onLate = (lane: Lane) => this.#giveUp(lateFault(lane, limitMs))
    this.#deadline = new DeliveryDeadline({ lanes: () => this.#lanes.all(), limitMs, clock, onLate })
  }

  get transactionalId(): string | undefined {
    return this.#transactions && this.#parts.transactionalId
  }

  /** Finished bytes, without compression, of what is not acknowledged. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Until when a broker asked to be left alone, by quota; by the steady clock, 0: never. */
  get throttledUntilMs(): number {
    return this.#throttledUntilMs
  }

  /**
   * Takes the records before it returns. Resolves when all in-sync replicas have all of them. Rejects only when
   * nothing of this producer can be written any more: with what ended it, or the reason of an aborted signal, which
   * ends it too.
   */
  async send(records: Records, signal: AbortSignal): Promise<void> {
    if (records.count === 0 && this.#ended === undefined) return
    const call = this.#admit(records, signal)
    if (call === undefined) return this.#refuse()
    this.#append(records, call)
    await call.settled
  }

  /** Commits `also` with the records of every `send` before. Rejects as `send`; whether it is done is then unknown. */
  async commit(also: Records, signal: AbortSignal): Promise<void> {
    const transactions = this.#transactions
    if (transactions === undefined) throw new Configuration('INTERNAL', 'a commit without transactions')
    const call = this.#admit(also, signal)
    if (call === undefined) return this.#refuse()
    call.openBatches += 1 // The transaction's end, beside the batches.
    const lanes = this.#append(also, call)
    transactions.commit(lanes, () => this.#calls.settle(call))
    await call.settled
  }

  /** Ends it; nothing of it is on the wire afterwards. Takes at most a few seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { dispatcher } = this.#parts
    this.#end(new Retryable('SINK_UNAVAILABLE', 'the sink was closed'))
    const patience = new AbortController()
    const limit = new AbortController()
    this.#clock.sleep(closeLimitMs, patience.signal).then(
      () => {
        limit.abort()
        dispatcher.cut(this)
      },
      () => {},
    )
    await this.#quiet.promise
    await this.#transactions?.abort(limit.signal)
    patience.abort()
  }

  admits(lane: Lane, batch: QueuedBatch): boolean {
    return this.#transactions?.admits(lane, batch) ?? true
  }

  seal(lane: Lane, batch: QueuedBatch): void {
    const { identity, settings } = this.#parts
    lane.queue.beginSealing(batch)
    lane.lastBatchBytes = batch.records.sizeBytes
    try {
      const bytes = batch.records.seal(
        identity.producerId,
        identity.producerEpoch,
        batch.baseSequence,
        settings.compression,
        this.#transactions !== undefined,
      )
      if (bytes instanceof Promise) void this.#finishSealing(lane, batch, bytes)
      else lane.queue.sealed(batch)
    } catch (error) {
      this.fail(asFault(error))
    }
  }

  sent(batch: QueuedBatch): void {
    const { meter, pipeline } = this.#parts
    this.#inFlight += 1
    if (batch.sends > 1) meter.count('sink_retries_total', { pipeline })
  }

  answered(lane: Lane, batch: QueuedBatch, errorCode: number, rejected: readonly number[]): void {
    const { dispatcher, clock, limits } = this.#parts
    const meaning = meaningOf(errorCode)
    if (errorCode === networkException) this.#transactions?.doubt()
    const outcome = lane.queue.answer(batch, meaning, this.#clock.nowMs(), clock.nowMs())
    this.#inFlight -= 1
    if (outcome === 'fatal')
      this.fail(refusalOf(batch, { errorCode, rejected, transactionalId: this.transactionalId }, limits))
    if (outcome === 'failed') {
      lane.trouble = nameOf(errorCode)
      lane.asksLeader ||= meaning === 'retry-elsewhere'
    } else this.#remove(batch)
    if (outcome === 'acknowledged') {
      lane.trouble = undefined
      for (const call of batch.calls) this.#calls.settle(call)
      this.#transactions?.acknowledged(batch)
    }
    if (this.#ended !== undefined) this.#finishIfQuiet()
    else if (lane.queue.rewind()) {
      dispatcher.again(lane)
      if (errorCode === throttlingQuotaExceeded) this.throttled(Math.max(0, lane.restUntilMs - this.#clock.nowMs()))
    } else dispatcher.offer(lane)
  }

  throttled(throttleMs: number): void {
    const { meter, pipeline } = this.#parts
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, this.#clock.nowMs() + throttleMs)
    meter.count('sink_throttled_seconds_total', { pipeline }, throttleMs / 1000)
  }

  fail(cause: Fault): void {
    if (this.#ended !== undefined) return
    const openMs = this.#transactions?.openMs ?? 0
    const fault = fencedOr(cause, this.#parts.transactionalId, openMs)
    if (fault instanceof Fenced && this.#transactions?.isOverdue) void this.#judge(fault, openMs)
    else this.#countError(fault)
    this.#end(fault)
  }

  /** Nobody hears that it has ended before the coordinator has said, or not, who ended the transaction. */
  async #judge(fence: Fenced, openMs: number): Promise<void> {
    this.#inFlight += 1
    const fault = await judgeFence(fence, openMs, this.#parts)
    this.#countError(fault)
    this.#ended = { reason: fault }
    this.#inFlight -= 1
    this.#finishIfQuiet()
  }

  #countError({ code }: Fault): void {
    const { meter, pipeline } = this.#parts
    meter.count('sink_errors_total', { pipeline, code })
  }

  /** A call for `records`, which are to be appended; undefined: the producer has ended, perhaps by this very call. */
  #admit(records: Records, signal: AbortSignal): Call | undefined {
    if (this.#ended === undefined) {
      const refusal = this.#refusalOf(records)
      if (signal.aborted) this.#end(signal.reason)
      else if (refusal !== undefined) this.fail(refusal)
    }
    if (this.#ended !== undefined) return undefined
    return this.#calls.begin(signal, () => this.#end(signal.reason))
  }

  /** Rejects with what ended the producer, once it is quiet. */
  async #refuse(): Promise<never> {
    await this.#quiet.promise
    throw this.#ended?.reason
  }

  /** Why `records` cannot be taken at all. */
  #refusalOf(records: Records): Fault | undefined {
    const { queueLimitBytes } = this.#parts.settings
    if (this.#queuedBytes <= queueLimitBytes) return impossibleRecord(records)
    return new Configuration('INTERNAL', `more than ${queueLimitBytes} bytes queued in the sink`)
  }

  /** Returns the lanes that got records. */
  #append(records: Records, call: Call): Set<Lane> {
    const nowMs = this.#clock.nowMs()
    const touched = new Set<Lane>()
    for (let i = 0; i < records.count; i += 1) {
      const lane = this.#lanes.at(records.topics[i]!, records.partitions[i]!)
      let batch = lane.queue.open
      if (batch === undefined || !batch.records.fits(records, i, batch.limitBytes)) {
        batch = this.#begin(lane, nowMs)
        // Alone in its batch: should the broker refuse it, there is no doubt which record is too large.
        if (!batch.records.fits(records, i, batch.limitBytes)) lane.queue.close(batch)
      }
      batch.records.append(records, i)
      batch.newestMs = Math.max(batch.newestMs, records.timestampsMs[i]!)
      if (batch.calls.at(-1) !== call) {
        batch.calls.push(call)
        call.openBatches += 1
        touched.add(lane)
      }
      this.#count(batch)
    }
    this.#deadline.begin(nowMs)
    for (const lane of touched) this.#parts.dispatcher.offer(lane)
    return touched
  }

  #begin(lane: Lane, nowMs: number): QueuedBatch {
    const { buffers, limits } = this.#parts
    const records = new RecordBatch(lane.topic, lane.partition, buffers, lane.lastBatchBytes)
    const batch = new QueuedBatch(records, limits.get(lane.topic), nowMs)
    lane.queue.push(batch)
    this.#transactions?.begin(lane, batch)
    return batch
  }

  #count(batch: QueuedBatch): void {
    this.#queuedBytes += batch.records.sizeBytes - batch.countedBytes
    batch.countedBytes = batch.records.sizeBytes
  }

  async #finishSealing(lane: Lane, batch: QueuedBatch, sealing: Promise<Buffer>): Promise<void> {
    try {
      await sealing
      lane.queue.sealed(batch)
      this.#parts.dispatcher.offer(lane)
    } catch (error) {
      this.fail(asFault(error))
    }
  }

  /** The batch left its queue, and nobody reads its bytes any more. */
  #remove(batch: QueuedBatch): void {
    this.#queuedBytes -= batch.countedBytes
    batch.records.release()
  }

  #giveUp(fault: Fault): void {
    this.fail(fault)
    this.#parts.dispatcher.cut(this)
  }

  /** Nothing more of it goes on the wire. */
  #end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { reason }
    this.#deadline.stop()
    this.#transactions?.end()
    for (const lane of this.#lanes.all()) {
      this.#parts.dispatcher.withdraw(lane)
      for (const batch of lane.queue.end()) this.#remove(batch)
    }
    this.#finishIfQuiet()
  }

  /** Only with nothing on the wire any more may a caller hear that it failed, and start a replay. */
  #finishIfQuiet(): void {
    if (this.#ended === undefined || this.#inFlight > 0) return
    this.#calls.rejectAll(this.#ended.reason)
    this.#lanes.clear()
    this.#quiet.resolve()
  }
}
