import { Configuration, type Fault, type RefusedRecord, Retryable } from '../../errors.ts'
import type { Meter } from '../../meter.ts'
import type { OutRecord, Records } from '../../record.ts'
import { outRecord } from '../../record-headers.ts'
import { UnderWay } from '../../under-way.ts'
import type { Capabilities, Sink, TopicSpec } from '../sink.ts'
import { readWoven } from '../woven.ts'
import { faultOf, protocolCode, verdictOf } from './classify.ts'
import type { PartitionProducer } from './kafkajs/partition-producer.ts'
import { type Batch, PartitionQueue, recordSizeBytes } from './kafkajs/partition-queue.ts'
import type { Pacing } from './pacing.ts'
import { impossibleRecord, invalid, invalidRecord, refusedRecord, split, tooLarge } from './producer/refusals.ts'
import type { ProducerSettings } from './settings.ts'
import type { TopicLimits } from './topic-limits.ts'

/** kafkajs copies a partition's records once for each further one: quadratic, and noticeable from here on. */
const recordsPerSend = 2_000

export interface KafkajsSinkParts {
  readonly pipeline: string
  readonly capabilities: Capabilities
  /** Disposed with the sink. */
  readonly producer: PartitionProducer
  readonly settings: Pick<ProducerSettings, 'queueLimitBytes' | 'recordsPerProducer'>
  readonly limits: Pick<TopicLimits, 'get' | 'refusedBatch' | 'suspectedBatch' | 'foundRecord'>
  readonly countPartitions: (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>
  readonly meter: Meter
  /** Holds back what would be too much for a partition; shared by the sinks of a target. */
  readonly pacing?: Pacing | undefined
}

/** One `send`, until its last record is acknowledged. */
interface Call {
  unacknowledged: number
  readonly settled: PromiseWithResolvers<void>
  readonly stopListening: () => void
}

type Queue = PartitionQueue<Call>

/**
 * The way to targets that are too old for record batches of our own. Each partition has a queue and at most one send
 * outstanding: an idle partition gets its records at once, a busy one more of them with the next send. The first
 * failure or abort ends the sink: what is queued behind must not be sent, or it would overtake what failed (G2).
 */
export class KafkajsSink implements Sink {
  readonly capabilities: Capabilities
  readonly #parts: KafkajsSinkParts
  readonly #queues = new Map<string, Queue[]>()
  readonly #calls = new UnderWay<Call>()
  /** Resolves when the sink has ended and nothing of it is on the wire. */
  readonly #quiet = Promise.withResolvers<void>()
  #unacknowledgedBytes = 0
  #outstanding = 0
  /** Sequence numbers run out: no send begins until none is outstanding and the producer is a new one. */
  #exchangeDue = false
  #ended: { readonly reason: unknown } | undefined
  readonly #ending = new AbortController()

  constructor(parts: KafkajsSinkParts) {
    this.capabilities = parts.capabilities
    this.#parts = parts
  }

  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    return this.#parts.countPartitions(topic, spec, signal)
  }

  async send(records: Records, signal: AbortSignal): Promise<void> {
    if (records.count === 0 && this.#ended === undefined) return
    if (this.#ended === undefined) {
      const refusal = this.#refusalOf(records)
      if (signal.aborted) this.#end(signal.reason)
      else if (refusal !== undefined) this.#fail(refusal)
    }
    if (this.#ended !== undefined) {
      const { reason } = this.#ended
      await this.#quiet.promise
      throw reason
    }
    const onAbort = () => this.#end(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const stopListening = () => signal.removeEventListener('abort', onAbort)
    const call: Call = { unacknowledged: records.count, settled: Promise.withResolvers<void>(), stopListening }
    this.#calls.begin(call)
    for (const queue of this.#push(records, call)) this.#dispatch(queue)
    await call.settled.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new Retryable('SINK_UNAVAILABLE', 'the sink was closed'))
    await this.#parts.producer.close()
    await this.#quiet.promise
  }

  /** Why `records` cannot be taken at all. */
  #refusalOf(records: Records): Fault | undefined {
    const { queueLimitBytes } = this.#parts.settings
    if (this.#unacknowledgedBytes <= queueLimitBytes) return impossibleRecord(records)
    return new Configuration('INTERNAL', `more than ${queueLimitBytes} bytes queued in the sink`)
  }

  /** Copies the records to their queues; returns those. */
  #push(records: Records, call: Call): Set<Queue> {
    const touched = new Set<Queue>()
    for (let i = 0; i < records.count; i += 1) {
      const record = outRecord(records, i)
      const queue = this.#queue(record.topic, record.partition)
      const sizeBytes = recordSizeBytes(record)
      queue.push({ record, sizeBytes, caller: call })
      this.#unacknowledgedBytes += sizeBytes
      touched.add(queue)
    }
    return touched
  }

  #queue(topic: string, partition: number): Queue {
    const queues = this.#queues.get(topic) ?? []
    if (queues.length === 0) this.#queues.set(topic, queues)
    let queue = queues[partition]
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition)
      queues[partition] = queue
    }
    return queue
  }

  /** Begins the queue's next send, if it may. */
  #dispatch(queue: Queue): void {
    if (this.#ended !== undefined || this.#exchangeDue || queue.isSending || queue.isEmpty) return
    const { limits, settings } = this.#parts
    if (queue.sentRecords + recordsPerSend > settings.recordsPerProducer && queue.sentRecords > 0) {
      this.#exchangeDue = true
      if (this.#outstanding === 0) void this.#exchange()
      return
    }
    void this.#send(queue, queue.take(limits.get(queue.topic), recordsPerSend))
  }

  async #send(queue: Queue, batch: Batch<Call>): Promise<void> {
    const { topic, partition } = queue
    const { pacing, producer } = this.#parts
    const records = batch.queued.map(({ record }) => record)
    queue.isSending = true
    queue.sentRecords += records.length
    this.#outstanding += 1
    try {
      if (pacing !== undefined) await this.#takeTurn(pacing, topic, partition, batch.bytes)
      await producer.send(topic, partition, records, this.#ending.signal)
      this.#acknowledge(batch)
    } catch (error) {
      this.#fail(this.#faultOf(error, records, batch.bytes))
    }
    this.#outstanding -= 1
    queue.isSending = false
    if (this.#ended !== undefined) this.#finishIfQuiet()
    else if (!this.#exchangeDue) this.#dispatch(queue)
    else if (this.#outstanding === 0) await this.#exchange()
  }

  /** Rejects where the sink has ended meanwhile: what has not had its turn is not sent any more. */
  async #takeTurn(pacing: Pacing, topic: string, partition: number, bytes: number): Promise<void> {
    const { meter, pipeline } = this.#parts
    const waitedMs = await pacing.turn(topic, partition, bytes, this.#ending.signal)
    this.#ending.signal.throwIfAborted()
    if (waitedMs > 0) meter.count('sink_throttled_seconds_total', { pipeline }, waitedMs / 1000)
  }

  /** Everything sent is acknowledged: a new producer id can neither repeat nor overtake. Never rejects. */
  async #exchange(): Promise<void> {
    this.#outstanding += 1
    try {
      await this.#parts.producer.exchange()
    } catch (error) {
      this.#fail(faultOf(error, 'exchange the producer'))
    }
    this.#outstanding -= 1
    this.#exchangeDue = false
    for (const queues of this.#queues.values()) {
      for (const queue of queues) if (queue !== undefined) queue.sentRecords = 0
    }
    for (const queues of this.#queues.values()) {
      for (const queue of queues) if (queue !== undefined) this.#dispatch(queue)
    }
    this.#finishIfQuiet()
  }

  #acknowledge({ queued }: Batch<Call>): void {
    for (const { caller, sizeBytes } of queued) {
      this.#unacknowledgedBytes -= sizeBytes
      caller.unacknowledged -= 1
      if (caller.unacknowledged > 0) continue
      this.#calls.end(caller)
      caller.stopListening()
      caller.settled.resolve()
    }
  }

  #fail(fault: Fault): void {
    if (this.#ended !== undefined) return
    this.#parts.meter.count('sink_errors_total', { pipeline: this.#parts.pipeline, code: fault.code })
    this.#end(fault)
  }

  #end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { reason }
    this.#ending.abort(reason)
    this.#finishIfQuiet()
  }

  /** Only with nothing on the wire any more may a caller hear that it failed, and start a replay. */
  #finishIfQuiet(): void {
    if (this.#ended === undefined || this.#outstanding > 0) return
    for (const call of this.#calls.endAll()) {
      call.stopListening()
      call.settled.reject(this.#ended.reason)
    }
    this.#queues.clear()
    this.#quiet.resolve()
  }

  /** Where a batch of several records was refused, the replay comes in smaller ones, down to the one to blame. */
  #faultOf(error: unknown, records: readonly OutRecord[], bytes: number): Fault {
    const { limits } = this.#parts
    const [first] = records
    const fault = faultOf(error, `send ${records.length} records to ${first?.topic}, partition ${first?.partition}`)
    if (first === undefined) return fault
    if (protocolCode(error) === invalidRecord) {
      if (records.length > 1) {
        limits.suspectedBatch(first.topic, bytes)
        return split(first.topic, 'one of the records of a batch was refused', fault)
      }
      limits.foundRecord(first.topic)
      return invalid(refused(first), fault)
    }
    if (verdictOf(error) !== 'too-large') return fault
    if (records.length === 1) return tooLarge(refused(first), recordSizeBytes(first), error)
    limits.refusedBatch(first.topic, bytes)
    return split(first.topic, 'a batch was too large', { cause: error })
  }
}

function refused({ topic, partition, key, value, headers }: OutRecord): RefusedRecord {
  const header = headers['m2k.position']
  const position = Buffer.isBuffer(header) ? header : value === null ? undefined : readWoven(value)?.position
  return refusedRecord(topic, partition, key, position)
}
