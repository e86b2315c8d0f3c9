import type { PoisonEvent } from '../../errors.ts'
import type { Records } from '../../record.ts'
import type { Capabilities, Sink, TopicSpec } from '../sink.ts'
import { impossibleRecord } from './producer/refusals.ts'

/** What stands around one record in its request: batch header, lengths, topic name and client id. */
const overheadBytes = 1024

/**
 * Keeps records from a target that would close the connection because of their size: there no answer names the one to
 * blame, and it would be sent again for ever. What was sent before it is settled first, so that the loop meets the
 * refusal in its place.
 */
export class SizeGuard implements Sink {
  readonly capabilities: Capabilities
  readonly #sink: Sink
  readonly #limitBytes: number
  readonly #open = new Set<Promise<void>>()
  #refusal: Promise<never> | undefined

  constructor(sink: Sink, requestLimitBytes: number) {
    this.capabilities = sink.capabilities
    this.#sink = sink
    this.#limitBytes = requestLimitBytes - overheadBytes
  }

  partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    return this.#sink.partitions(topic, spec, signal)
  }

  send(records: Records, signal: AbortSignal): Promise<void> {
    if (this.#refusal !== undefined) return this.#refusal
    const refusal = impossibleRecord(records, this.#limitBytes)
    if (refusal !== undefined) {
      this.#refusal = this.#refuse(refusal)
      return this.#refusal
    }
    const sent = this.#sink.send(records, signal)
    this.#open.add(sent)
    sent.then(
      () => this.#open.delete(sent),
      () => this.#open.delete(sent),
    )
    return sent
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sink[Symbol.asyncDispose]()
  }

  async #refuse(refusal: PoisonEvent): Promise<never> {
    await Promise.allSettled(this.#open)
    throw refusal
  }
}
