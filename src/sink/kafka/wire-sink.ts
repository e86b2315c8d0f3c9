import type { Clock } from '../../clock.ts'
import { Retryable } from '../../errors.ts'
import type { Meter } from '../../meter.ts'
import type { Records } from '../../record.ts'
import { backOffMs } from '../../retry.ts'
import type { Capabilities, Sink, TopicSpec } from '../sink.ts'
import type { Dispatcher } from './producer/dispatcher.ts'
import { type IdempotentProducerSettings, Producer } from './producer/producer.ts'
import type { BatchLimits } from './producer/refusals.ts'
import type { BufferPool } from './record-batch/buffer-pool.ts'
import type { ProducerIdentity, Wire } from './wire.ts'

/** Between attempts to get a producer id. */
const openBackOff = { initialMs: 100, maxMs: 1_000 }
const openLimitMs = 30_000

export interface WireSinkParts {
  readonly pipeline: string
  readonly wire: Wire
  /** One for all sinks of the target. */
  readonly dispatcher: Dispatcher
  /** One for all sinks of the target. */
  readonly buffers: BufferPool
  readonly limits: BatchLimits
  readonly settings: IdempotentProducerSettings
  readonly countPartitions: (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>
  readonly clock: Clock
  readonly meter: Meter
}

/** Kafka by our own record batches over a `Wire`: several batches on the way at a time, none lost or repeated. */
export class WireSink implements Sink {
  readonly capabilities: Capabilities = { headers: true, idempotence: true, transactions: false }
  readonly #countPartitions: WireSinkParts['countPartitions']
  readonly #producer: Producer
  readonly #counts = new Map<string, number>()

  private constructor(parts: WireSinkParts, identity: ProducerIdentity) {
    this.#countPartitions = parts.countPartitions
    this.#producer = new Producer({ ...parts, identity })
  }

  /**
   * A sink with a producer id of its own. A cluster that has just started may not give any for some seconds. Throws
   * Retryable or Configuration.
   */
  static async open(parts: WireSinkParts, signal: AbortSignal): Promise<WireSink> {
    const { wire, clock } = parts
    const untilMs = clock.nowMs() + openLimitMs
    for (let attempt = 1; ; attempt += 1) {
      try {
        return new WireSink(parts, await wire.initProducerId(signal))
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof Retryable) || clock.nowMs() >= untilMs) throw error
        await clock.sleep(backOffMs(openBackOff, attempt, clock), signal)
      }
    }
  }

  /** Until when a broker asked to be left alone, by quota; milliseconds since the Unix epoch, 0: never. */
  get throttledUntilMs(): number {
    return this.#producer.throttledUntilMs
  }

  async partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    const known = this.#counts.get(topic)
    if (known !== undefined) return known
    const count = await this.#countPartitions(topic, spec, signal)
    this.#counts.set(topic, count)
    return count
  }

  send(records: Records, signal: AbortSignal): Promise<void> {
    return this.#producer.send(records, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer[Symbol.asyncDispose]()
  }
}
