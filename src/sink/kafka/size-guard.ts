import type { Records } from '../../record.ts'
import type { Capabilities, Sink, TopicSpec } from '../sink.ts'
import { impossibleRecord } from './producer/refusals.ts'
import { SendsInOrder } from './sends-in-order.ts'

/** What stands around one record in its request: batch header, lengths, topic name and client id. */
const overheadBytes = 1024

/**
 * Keeps records from a target that would close the connection because of their size: there no answer names the one to
 * blame, and it would be sent again for ever.
 */
export class SizeGuard implements Sink {
  readonly capabilities: Capabilities
  readonly #sink: Sink
  readonly #limitBytes: number
  readonly #order = new SendsInOrder()

  constructor(sink: Sink, requestLimitBytes: number) {
    this.capabilities = sink.capabilities
    this.#sink = sink
    this.#limitBytes = requestLimitBytes - overheadBytes
  }

  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    return this.#sink.partitions(topic, spec, signal)
  }

  send(records: Records, signal: AbortSignal): Promise<void> {
    return this.#order.send(() => {
      const refusal = impossibleRecord(records, this.#limitBytes)
      if (refusal !== undefined) throw refusal
      return this.#sink.send(records, signal)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]()
  }
}
