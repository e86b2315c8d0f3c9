import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { Configuration, type Fault, Retryable } from '../errors.ts'
import type { OutRecord, Records } from '../record.ts'
import { outRecord } from '../record-headers.ts'
import type { Capabilities, Sink, TopicSpec } from './sink.ts'

const defaultPartitions = 1

/**
 * Writes records as JSON, one line a record: `topic`, `partition`, `key` and `value` as text (null: a tombstone),
 * `headers`, `timestampMs`. Bytes that are not UTF-8 show as U+FFFD: this is for reading, not for transport.
 */
export class StdoutSink implements Sink {
  readonly capabilities: Capabilities = { headers: true, idempotence: false, transactions: false }
  readonly #stream: Writable
  #last: Promise<void> = Promise.resolve()
  #ended: { readonly reason: unknown } | undefined
  readonly #onError = (error: unknown): void => this.#end(streamFault(error))

  /** `stream` is not ended with the sink: it is the process's. */
  constructor(stream: Writable) {
    this.#stream = stream
    stream.on('error', this.#onError)
  }

  async partitions(_topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    return spec.partitions ?? defaultPartitions
  }

  /** Settles when the lines are handed to the operating system. */
  send(records: Records, signal: AbortSignal): Promise<void> {
    const lines = Array.from({ length: records.count }, (_, i) => toLine(outRecord(records, i)))
    const before = this.#last
    const sent = (async () => {
      await before.catch(() => {})
      await this.#write(lines, signal)
    })()
    this.#last = sent.catch(() => {})
    return sent
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
    this.#end(new Retryable('SINK_UNAVAILABLE', 'the sink was closed'))
    this.#stream.off('error', this.#onError)
  }

  /** The error of a broken stream stays: what could not be written must not be skipped. */
  #end(reason: unknown): void {
    this.#ended ??= { reason }
  }

  async #write(lines: readonly string[], signal: AbortSignal): Promise<void> {
    for (const line of lines) {
      if (signal.aborted) this.#end(signal.reason)
      if (this.#ended !== undefined) throw this.#ended.reason
      const lineLeft = this.#stream.write(line)
      if (!lineLeft) await this.#drained(signal)
    }
    if (this.#ended !== undefined) throw this.#ended.reason
    await this.#flushed(signal)
  }

  /** Back-pressure: nothing more is written until the reader at the other end has caught up. */
  async #drained(signal: AbortSignal): Promise<void> {
    try {
      await once(this.#stream, 'drain', { signal })
    } catch (error) {
      this.#end(signal.aborted ? signal.reason : streamFault(error))
      throw this.#ended?.reason
    }
  }

  /** An empty write is called back after everything before it. */
  #flushed(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = () => {
      this.#end(signal.reason)
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#stream.write('', error => {
      signal.removeEventListener('abort', onAbort)
      if (error) this.#end(streamFault(error))
      if (this.#ended === undefined) resolve()
      else reject(this.#ended.reason)
    })
    return promise
  }
}

/** A reader that went away (`… | head`) will not come back, and neither does a full disk by itself. */
function streamFault(error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error)
  return new Configuration('SINK_REJECTED', `standard output: ${message}`, { cause: error })
}

function toLine(record: OutRecord): string {
  const { topic, partition, key, value, headers, timestampMs } = record
  const texts = Object.fromEntries(Object.entries(headers).map(([name, header]) => [name, headerText(header)]))
  const line = { topic, partition, key: key.toString(), value: value?.toString() ?? null, headers: texts, timestampMs }
  return `${JSON.stringify(line)}\n`
}

/** Headers that are compared as bytes, such as `m2k.position`, in hex. */
function headerText(header: string | Buffer): string {
  return typeof header === 'string' ? header : header.toString('hex')
}
