import type { OutRecord, Records } from '../../record.ts'
import { outRecord, packRecords } from '../../record-headers.ts'
import type { Capabilities, Sink, TopicSpec, TransactionalSink } from '../sink.ts'
import { wovenValue } from '../woven.ts'
import { OpenTombstones } from './open-tombstones.ts'
import { SendsInOrder } from './sends-in-order.ts'

/**
 * For targets that refuse headers: what they say goes into the value, as its member `m2k`; a record without any stays
 * as it is, and send rejects with Configuration where the value of another is no JSON object. A tombstone stays the null
 * value that it is everywhere, and so says nothing of itself; what the deliveries need to know of it they have
 * read from its headers before it comes here, and which event a refused one is of is remembered here.
 */
export class WovenSink implements Sink {
  readonly capabilities: Capabilities
  readonly #sink: Sink
  readonly #tombstones = new OpenTombstones()
  /** A record that cannot be woven is refused here. */
  protected readonly order = new SendsInOrder()

  constructor(sink: Sink) {
    this.capabilities = sink.capabilities
    this.#sink = sink
  }

  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    return this.#sink.partitions(topic, spec, signal)
  }

  send(records: Records, signal: AbortSignal): Promise<void> {
    return this.order.send(() => {
      const list = Array.from({ length: records.count }, (_, i) => outRecord(records, i))
      return this.#send(list, packRecords(list.map(woven)), signal)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]()
  }

  async #send(list: readonly OutRecord[], packed: Records, signal: AbortSignal): Promise<void> {
    const tombstones = this.#tombstones.sending(list)
    try {
      await this.#sink.send(packed, signal)
    } catch (error) {
      throw this.#tombstones.named(error)
    } finally {
      this.#tombstones.settled(tombstones)
    }
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
    return this.order.send(() => this.#transactional.commit(also, signal))
  }
}

function woven(record: OutRecord): OutRecord {
  const { value, headers } = record
  if (Object.keys(headers).length === 0) return record
  return { ...record, value: value === null ? null : wovenValue(record), headers: {} }
}
