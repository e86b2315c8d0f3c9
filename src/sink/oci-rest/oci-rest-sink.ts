import { Configuration, Fault, PoisonEvent, Retryable } from '../../errors.ts'
import type { Meter } from '../../meter.ts'
import type { OutRecord, Records } from '../../record.ts'
import { outRecord } from '../../record-headers.ts'
import { UnderWay } from '../../under-way.ts'
import type { Capabilities, Sink, TopicSpec } from '../sink.ts'
import { wovenValue } from '../woven.ts'
import type { Queued } from './key-queues.ts'
import { messageJson } from './messages.ts'
import { placeOf, type SenderParts, type Sent, StreamSender } from './stream-sender.ts'
import type { Streams } from './streams.ts'

const keyLimitBytes = 256
const messageLimitBytes = 1 << 20

/**
 * Headers, because the sink weaves them into the value itself: so a tombstone has its position too. No idempotence: what
 * a lost answer leaves open is settled by reading the stream back.
 */
export const ociRestCapabilities: Capabilities = { headers: true, idempotence: false, transactions: false }

export interface OciRestSinkParts extends Pick<SenderParts<Call>, 'pipeline' | 'api' | 'requests' | 'clock'> {
  readonly meter: Meter
  readonly streams: Pick<Streams, 'use'>
  readonly queueLimitBytes: number
}

type Message = Queued<Sent<Call>>

/** One `send`, until its last message is stored. */
interface Call {
  unacknowledged: number
  readonly settled: PromiseWithResolvers<void>
  readonly stopListening: () => void
}

/**
 * The way to OCI Streaming over its REST API. The service picks the partition by its own hash of the key: all messages
 * of a key in one, but in which is not said, so `partition` of a record says nothing here. Order is kept by key (G2):
 * see KeyQueues. The first failure ends the sink, as what is behind it must not overtake it.
 */
export class OciRestSink implements Sink {
  readonly capabilities: Capabilities = ociRestCapabilities
  readonly #parts: OciRestSinkParts
  readonly #senders = new Map<string, StreamSender<Call>>()
  readonly #calls = new UnderWay<Call>()
  readonly #cut = new AbortController()
  /** Resolves when the sink has ended and nothing of it is on the wire. */
  readonly #quiet = Promise.withResolvers<void>()
  #queuedBytes = 0
  #ended: { readonly reason: unknown } | undefined

  constructor(parts: OciRestSinkParts) {
    this.#parts = parts
  }

  async partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    const { streams, pipeline, api, requests, clock, meter } = this.#parts
    const stream = await streams.use(topic, spec, signal)
    if (!this.#senders.has(topic)) {
      const sender = new StreamSender<Call>({
        ...{ pipeline, stream, api, requests, clock, meter },
        onStored: message => this.#stored(message),
        onFault: fault => this.#fail(fault),
        onAnswer: () => this.#finishIfQuiet(),
        cut: this.#cut.signal,
      })
      this.#senders.set(topic, sender)
    }
    return stream.partitions
  }

  async send(records: Records, signal: AbortSignal): Promise<void> {
    if (records.count === 0 && this.#ended === undefined) return
    const onAbort = () => this.#end(signal.reason)
    const stopListening = () => signal.removeEventListener('abort', onAbort)
    const call: Call = { unacknowledged: records.count, settled: Promise.withResolvers<void>(), stopListening }
    if (this.#ended === undefined && signal.aborted) this.#end(signal.reason)
    if (this.#ended === undefined) this.#push(records, call)
    if (this.#ended !== undefined) {
      const { reason } = this.#ended
      await this.#quiet.promise
      throw reason
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#calls.begin(call)
    for (const sender of this.#senders.values()) sender.dispatch()
    await call.settled.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Retryable('SINK_UNAVAILABLE', 'the sink was closed')
    this.#end(closed)
    this.#cut.abort(closed)
    await this.#quiet.promise
  }

  /** Copies the records to the queues of their streams, all or none; where one cannot be sent the sink ends. */
  #push(records: Records, call: Call): void {
    const { queueLimitBytes } = this.#parts
    try {
      if (this.#queuedBytes > queueLimitBytes) {
        throw new Configuration('INTERNAL', `more than ${queueLimitBytes} bytes queued in the sink`)
      }
      const pushes: (() => void)[] = []
      for (let i = 0; i < records.count; i++) {
        const record = outRecord(records, i)
        const sender = this.#senders.get(record.topic)
        if (sender === undefined) throw new Configuration('INTERNAL', `stream ${record.topic} was not asked for`)
        const message = messageOf(record, call)
        pushes.push(() => {
          this.#queuedBytes += message.sizeBytes
          sender.push(message)
        })
      }
      for (const push of pushes) push()
    } catch (error) {
      this.#fail(error)
    }
  }

  #stored(message: Message): void {
    this.#queuedBytes -= message.sizeBytes
    const { call } = message.caller
    call.unacknowledged -= 1
    if (call.unacknowledged > 0 || !this.#calls.end(call)) return
    call.stopListening()
    call.settled.resolve()
  }

  #fail(fault: unknown): void {
    if (this.#ended !== undefined) return
    const code = fault instanceof Fault ? fault.code : 'INTERNAL'
    this.#parts.meter.count('sink_errors_total', { pipeline: this.#parts.pipeline, code })
    this.#end(fault)
  }

  #end(reason: unknown): void {
    if (this.#ended !== undefined) return
    this.#ended = { reason }
    for (const sender of this.#senders.values()) sender.stop()
    this.#finishIfQuiet()
  }

  /** Only with nothing on the wire any more may a caller hear that it failed, and start a replay. */
  #finishIfQuiet(): void {
    if (this.#ended === undefined) return
    for (const sender of this.#senders.values()) if (sender.outstanding > 0) return
    for (const call of this.#calls.endAll()) {
      call.stopListening()
      call.settled.reject(this.#ended.reason)
    }
    this.#quiet.resolve()
  }
}

/** Throws PoisonEvent SINK_OCI_LIMIT for what the service can never take. */
function messageOf(record: OutRecord, call: Call): Message {
  const { key, topic, partition } = record
  const value = wovenValue(record)
  const position = record.headers['m2k.position']
  const place = { topic, partition, keyBytes: key.length, position: Buffer.isBuffer(position) ? position : undefined }
  const sizeBytes = key.length + value.length
  const problem =
    key.length > keyLimitBytes
      ? `its key is longer than ${keyLimitBytes} bytes`
      : sizeBytes > messageLimitBytes && `its key and value have ${sizeBytes} bytes, more than ${messageLimitBytes}`
  if (problem) throw new PoisonEvent('SINK_OCI_LIMIT', `${placeOf(place)}: ${problem}`, { record: place })
  return { key: key.toString('latin1'), json: messageJson(key, value), sizeBytes, caller: { call, record: place } }
}
