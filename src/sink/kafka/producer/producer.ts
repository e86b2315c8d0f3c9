import type { Clock } from '../../../clock.ts'
import { asFault, Configuration, type Fault, Retryable } from '../../../errors.ts'
import type { Meter } from '../../../meter.ts'
import type { Records } from '../../../record.ts'
import type { BufferPool } from '../record-batch/buffer-pool.ts'
import type { Compression } from '../record-batch/compression.ts'
import { RecordBatch } from '../record-batch/record-batch.ts'
import type { ProducerIdentity } from '../wire.ts'
import { Alarm } from './alarm.ts'
import { Call } from './call.ts'
import type { Dispatcher } from './dispatcher.ts'
import { Lane, type LaneOwner } from './lane.ts'
import { PartitionQueue } from './partition-queue.ts'
import { meaningOf, nameOf } from './produce-errors.ts'
import { QueuedBatch } from './queued-batch.ts'
import { type BatchLimits, impossibleRecord, lateFault, refusalOf } from './refusals.ts'

/** How long `dispose` waits for answers before it closes the connections that carry something of the producer. */
const closeLimitMs = 3_000

export interface IdempotentProducerSettings {
  readonly compression: Compression
  /** Records queued and unacknowledged; more is a fault of the caller, who has a window. */
  readonly queueLimitBytes: number
  /** How long a partition may go without progress before the producer gives up. */
  readonly deliveryTimeoutMs: number
}

export interface ProducerParts {
  readonly pipeline: string
  readonly identity: ProducerIdentity
  readonly dispatcher: Dispatcher
  readonly limits: BatchLimits
  readonly buffers: BufferPool
  readonly settings: IdempotentProducerSettings
  readonly clock: Clock
  readonly meter: Meter
  /** For tests: a queue whose sequence numbers are about to wrap, or that is broken. */
  readonly createQueue?: () => PartitionQueue
}

/**
 * An idempotent producer: one identity, and for each partition a queue of record batches that are in order, sent as
 * five at a time at most, and sent again as they are until they are acknowledged. Whatever would need a new identity
 * ends it: the caller replays from its last checkpoint with a new one.
 */
export class Producer implements LaneOwner, AsyncDisposable {
  readonly #parts: ProducerParts
  readonly #lanes = new Map<string, Lane[]>()
  readonly #calls = new Set<Call>()
  readonly #deadline: Alarm
  /** Resolves when the producer has ended, nothing of it is on the wire and nothing will be. */
  readonly #quiet = Promise.withResolvers<void>()
  #queuedBytes = 0
  #inFlight = 0
  #throttledUntilMs = 0
  #ended: { readonly reason: unknown } | undefined

  constructor(parts: ProducerParts) {
    this.#parts = parts
    this.#deadline = new Alarm(parts.clock, () => this.#checkDeadline())
  }

  /** Finished bytes, without compression, of what is not acknowledged. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Until when a broker asked to be left alone, by quota; milliseconds since the Unix epoch, 0: never. */
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
    if (this.#ended === undefined) {
      const refusal = this.#refusalOf(records)
      if (signal.aborted) this.#end(signal.reason)
      else if (refusal !== undefined) this.fail(refusal)
    }
    if (this.#ended !== undefined) {
      const { reason } = this.#ended
      await this.#quiet.promise
      throw reason
    }
    const call = new Call(signal, () => this.#end(signal.reason))
    this.#calls.add(call)
    this.#append(records, call)
    await call.settled
  }

  /** Ends it; nothing of it is on the wire afterwards. Takes at most a few seconds. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { clock, dispatcher } = this.#parts
    this.#end(new Retryable('SINK_UNAVAILABLE', 'the sink was closed'))
    const patience = new AbortController()
    clock.sleep(closeLimitMs, patience.signal).then(
      () => dispatcher.cut(this),
      () => {},
    )
    await this.#quiet.promise
    patience.abort()
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

  answered(lane: Lane, batch: QueuedBatch, errorCode: number): void {
    const { dispatcher, clock, limits } = this.#parts
    const meaning = meaningOf(errorCode)
    const outcome = lane.queue.answer(batch, meaning, clock.nowMs())
    this.#inFlight -= 1
    if (outcome === 'failed') {
      lane.trouble = nameOf(errorCode)
      lane.asksLeader ||= meaning === 'retry-elsewhere'
    } else this.#remove(batch)
    if (outcome === 'acknowledged') {
      lane.trouble = undefined
      this.#settle(batch)
    }
    if (outcome === 'fatal') this.fail(refusalOf(batch, errorCode, limits))
    if (this.#ended !== undefined) this.#finishIfQuiet()
    else if (lane.queue.rewind()) dispatcher.again(lane)
    else dispatcher.offer(lane)
  }

  throttled(throttleMs: number): void {
    const { clock, meter, pipeline } = this.#parts
    this.#throttledUntilMs = Math.max(this.#throttledUntilMs, clock.nowMs() + throttleMs)
    meter.count('sink_throttled_seconds_total', { pipeline }, throttleMs / 1000)
  }

  fail(fault: Fault): void {
    const { meter, pipeline } = this.#parts
    if (this.#ended !== undefined) return
    meter.count('sink_errors_total', { pipeline, code: fault.code })
    this.#end(fault)
  }

  /** Why `records` cannot be taken at all. */
  #refusalOf(records: Records): Fault | undefined {
    const { queueLimitBytes } = this.#parts.settings
    if (this.#queuedBytes <= queueLimitBytes) return impossibleRecord(records)
    return new Configuration('INTERNAL', `more than ${queueLimitBytes} bytes queued in the sink`)
  }

  #append(records: Records, call: Call): void {
    const nowMs = this.#parts.clock.nowMs()
    const touched: Lane[] = []
    for (let i = 0; i < records.count; i += 1) {
      const lane = this.#lane(records.topics[i]!, records.partitions[i]!)
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
        touched.push(lane)
      }
      this.#count(batch)
    }
    this.#deadline.set(nowMs + this.#parts.settings.deliveryTimeoutMs)
    for (const lane of touched) this.#parts.dispatcher.offer(lane)
  }

  #lane(topic: string, partition: number): Lane {
    let lanes = this.#lanes.get(topic)
    if (lanes === undefined) {
      lanes = []
      this.#lanes.set(topic, lanes)
    }
    let lane = lanes[partition]
    if (lane === undefined) {
      lane = new Lane(this, topic, partition, this.#parts.createQueue?.() ?? new PartitionQueue(0))
      lanes[partition] = lane
    }
    return lane
  }

  #begin(lane: Lane, nowMs: number): QueuedBatch {
    const { buffers, limits } = this.#parts
    const records = new RecordBatch(lane.topic, lane.partition, buffers, lane.lastBatchBytes)
    const batch = new QueuedBatch(records, limits.get(lane.topic), nowMs)
    lane.queue.push(batch)
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

  #settle(batch: QueuedBatch): void {
    for (const call of batch.calls) {
      call.openBatches -= 1
      if (call.openBatches === 0 && this.#calls.delete(call)) call.resolve()
    }
  }

  *#allLanes(): Generator<Lane> {
    for (const lanes of this.#lanes.values()) for (const lane of lanes) if (lane !== undefined) yield lane
  }

  #checkDeadline(): void {
    const { clock, dispatcher, settings } = this.#parts
    let oldest: Lane | undefined
    let oldestMs = Number.POSITIVE_INFINITY
    for (const lane of this.#allLanes()) {
      const sinceMs = lane.queue.stalledSinceMs ?? Number.POSITIVE_INFINITY
      if (sinceMs >= oldestMs) continue
      oldest = lane
      oldestMs = sinceMs
    }
    if (oldest === undefined) return
    const lateMs = oldestMs + settings.deliveryTimeoutMs
    if (clock.nowMs() < lateMs) {
      this.#deadline.set(lateMs)
      return
    }
    this.fail(lateFault(oldest, settings.deliveryTimeoutMs))
    dispatcher.cut(this)
  }

  /** Nothing more of it goes on the wire. */
  #end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { reason }
    this.#deadline.stop()
    for (const lane of this.#allLanes()) {
      this.#parts.dispatcher.withdraw(lane)
      for (const batch of lane.queue.end()) this.#remove(batch)
    }
    this.#finishIfQuiet()
  }

  /** Only with nothing on the wire any more may a caller hear that it failed, and start a replay. */
  #finishIfQuiet(): void {
    if (this.#ended === undefined || this.#inFlight > 0) return
    for (const call of this.#calls) call.reject(this.#ended.reason)
    this.#calls.clear()
    this.#lanes.clear()
    this.#quiet.resolve()
  }
}
