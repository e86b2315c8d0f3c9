import type { OutRecord, Records } from '../../record.ts'
import { outRecord, packRecords } from '../../record-headers.ts'
import type { Capabilities, Sink, TopicSpec, TransactionalSink } from '../sink.ts'
import { wovenValue } from '../woven.ts'

/**
 * For targets that refuse headers: what they say goes into the value, as its member `m2k`; a record without any stays
 * as it is, and send rejects with Configuration where the value of another is no JSON object. A tombstone stays the null
 * value that it is everywhere, and so says nothing of itself; what the deliveries need to know of it they have
 * read from its headers before it comes here.
 */
export class WovenSink implements Sink {
  readonly capabilities: Capabilities
  readonly #sink: Sink

  constructor(sink: Sink) {
    this.capabilities = sink.capabilities
    this.#sink = sink
  }

  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    return this.#sink.partitions(topic, spec, signal)
  }

  async send(records: Records, signal: AbortSignal): Promise<void> {
    await this.#sink.send(woven(records), signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]()
  }
}

/** The same in transactions; what is committed along with the records has no headers of its own. */
export class WovenTransactionalSink extends WovenSink implements TransactionalSink {
  readonly #transactional: TransactionalSink

  constructor(sink: TransactionalSink) {
    super(sink)
    this.#transactional = sink
  }

  commit(also: Records, signal: AbortSignal): Promise<void> {
    return this.#transactional.commit(also, signal)
  }
}

function woven(records: Records): Records {
  const list = Array.from({ length: records.count }, (_, i): OutRecord => {
    const record = outRecord(records, i)
    const { value, headers } = record
    if (Object.keys(headers).length === 0) return record
    return { ...record, value: value === null ? null : wovenValue(record), headers: {} }
  })
  return packRecords(list)
}
