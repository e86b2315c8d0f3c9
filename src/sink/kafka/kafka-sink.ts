import type { Clock } from '../../clock.ts'
import { Configuration, type Fault, PoisonEvent, Retryable } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import type { OutRecord, Records } from '../../record.ts'
import { outRecord } from '../../record-headers.ts'
import type { Capabilities, Sink, TopicSpec } from '../sink.ts'
import { type Batch, Batcher, recordSizeBytes } from './batcher.ts'
import type { Carrier } from './carrier.ts'
import { faultOf, verdictOf } from './classify.ts'
import type { ProducerSettings } from './settings.ts'
import type { TopicLimits } from './topic-limits.ts'

/** kafkajs copies a partition's records once for each further one: quadratic, and noticeable from here on. */
const recordsPerRequest = 2_000
/** A broker closes the connection on a request above socket.request.max.bytes (100 MiB), without an answer. */
const recordLimitBytes = 96 << 20

export interface KafkaSinkParts {
  readonly pipeline: string
  readonly carrier: Carrier
  readonly settings: ProducerSettings
  readonly limits: TopicLimits
  readonly countPartitions: (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>
  readonly clock: Clock
  readonly meter: Meter
  readonly log: Logger
}

/** One `send`, until its last record is acknowledged. */
interface Call {
  unacknowledged: number
  readonly settled: PromiseWithResolvers<void>
  readonly stopListening: () => void
}

/**
 * Queues records and hands them to the carrier in batches, exactly one at a time. The first failure or abort ends the
 * sink: what is queued behind must not be sent, or it would overtake what failed (G2).
 */
export class KafkaSink implements Sink {
  readonly capabilities: Capabilities = { headers: true, idempotence: true, transactions: false }
  readonly #parts: KafkaSinkParts
  readonly #batcher: Batcher<Call>
  readonly #counts = new Map<string, number>()
  #oldestQueuedMs = 0
  #unacknowledgedBytes = 0
  #running: Promise<void> | undefined
  #hurry = new AbortController()
  #ended: { readonly reason: unknown } | undefined

  constructor(parts: KafkaSinkParts) {
    this.#parts = parts
    this.#batcher = new Batcher<Call>({
      requestBytes: parts.settings.batchBytes,
      requestRecords: recordsPerRequest,
      partitionBytes: topic => parts.limits.get(topic),
    })
  }

  async partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    const known = this.#counts.get(topic)
    if (known !== undefined) return known
    const count = await this.#parts.countPartitions(topic, spec, signal)
    this.#counts.set(topic, count)
    return count
  }

  async send(columns: Records, signal: AbortSignal): Promise<void> {
    if (this.#ended !== undefined) throw this.#ended.reason
    if (columns.count === 0) return
    const records = Array.from({ length: columns.count }, (_, i) => outRecord(columns, i))
    const refusal = signal.aborted ? signal.reason : this.#refusalOf(records)
    if (refusal !== undefined) {
      this.#end(refusal)
      throw refusal
    }
    const onAbort = () => this.#end(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const stopListening = () => signal.removeEventListener('abort', onAbort)
    const call: Call = { unacknowledged: records.length, settled: Promise.withResolvers<void>(), stopListening }
    if (this.#batcher.queuedBytes === 0) this.#oldestQueuedMs = this.#parts.clock.nowMs()
    this.#batcher.add(call, records)
    if (this.#batcher.isFull) this.#hurry.abort()
    this.#running ??= this.#run()
    await call.settled.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end(new Retryable('SINK_UNAVAILABLE', 'the sink was closed'))
    await this.#parts.carrier.close()
    await this.#running
  }

  /** Why `records` cannot be taken at all. */
  #refusalOf(records: readonly OutRecord[]): Fault | undefined {
    const tooLarge = records.find(record => recordSizeBytes(record) > recordLimitBytes)
    if (tooLarge !== undefined) return poison(tooLarge)
    if (this.#batcher.queuedBytes + this.#unacknowledgedBytes <= this.#parts.settings.queueLimitBytes) return undefined
    return new Configuration('INTERNAL', `more than ${this.#parts.settings.queueLimitBytes} bytes queued in the sink`)
  }

  /** Sends until nothing is queued. Never rejects: the outcome is each call's. */
  async #run(): Promise<void> {
    const unsettled = new Set<Call>()
    while (this.#ended === undefined && this.#batcher.queuedBytes > 0) {
      await this.#linger()
      const batch = this.#ended === undefined ? this.#batcher.take() : undefined
      if (batch === undefined) break
      this.#oldestQueuedMs = this.#parts.clock.nowMs()
      for (const { caller } of batch.shares) unsettled.add(caller)
      await this.#sendBatch(batch)
      for (const { caller } of batch.shares) if (caller.unacknowledged === 0) unsettled.delete(caller)
    }
    this.#running = undefined
    if (this.#ended === undefined) return
    // Only now, with nothing on the wire any more, may a caller hear that it failed and start a replay.
    for (const call of new Set([...unsettled, ...this.#batcher.clear()])) {
      call.stopListening()
      call.settled.reject(this.#ended.reason)
    }
  }

  async #sendBatch(batch: Batch<Call>): Promise<void> {
    this.#unacknowledgedBytes = batch.bytes
    try {
      await this.#parts.carrier.send(batch.topics)
      for (const { caller, records } of batch.shares) {
        caller.unacknowledged -= records
        if (caller.unacknowledged > 0) continue
        caller.stopListening()
        caller.settled.resolve()
      }
    } catch (error) {
      this.#end(this.#faultOf(error, batch))
    } finally {
      this.#unacknowledgedBytes = 0
    }
  }

  /** Waits until the oldest queued record has waited `lingerMs`, or the next batch is full. */
  async #linger(): Promise<void> {
    const { clock, settings } = this.#parts
    const leftMs = this.#oldestQueuedMs + settings.lingerMs - clock.nowMs()
    if (leftMs <= 0 || this.#batcher.isFull) return
    this.#hurry = new AbortController()
    await clock.sleep(leftMs, this.#hurry.signal).catch(() => {})
  }

  #end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { reason }
    this.#hurry.abort()
  }

  #faultOf(error: unknown, batch: Batch<Call>): Fault {
    const { pipeline, meter, limits } = this.#parts
    const topics = [...batch.topics.keys()].join(', ')
    let fault = faultOf(error, `send ${batch.records} records to ${topics}`)
    if (verdictOf(error) === 'too-large') {
      const [[record] = []] = batch.topics.values()
      if (batch.records === 1 && record !== undefined) fault = poison(record, error)
      else {
        limits.refused(batch.topics)
        fault = new Retryable('SINK_UNAVAILABLE', `${topics}: a batch was too large and is sent in smaller ones`, {
          cause: error,
        })
      }
    }
    meter.count('sink_errors_total', { pipeline, code: fault.code })
    return fault
  }
}

/** Names topic and size, never the contents (G9). */
function poison(record: OutRecord, cause?: unknown): PoisonEvent {
  const { topic, partition } = record
  const size = recordSizeBytes(record)
  const message = `topic ${topic}, partition ${partition}: a record of ${size} bytes is larger than the topic takes`
  return new PoisonEvent('SINK_RECORD_TOO_LARGE', message, cause === undefined ? undefined : { cause })
}
