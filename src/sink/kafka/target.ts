import type { Clock } from '../../clock.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import type { Sink, TopicSpec } from '../sink.ts'
import { withAdmin } from './admin.ts'
import { faultOf, reachabilityFaultOf } from './classify.ts'
import { KafkajsProducer } from './kafkajs/partition-producer.ts'
import { KafkajsSink } from './kafkajs-sink.ts'
import type { KafkaSettings, ProducerSettings } from './settings.ts'
import { TopicLimits } from './topic-limits.ts'
import { ensureTopic } from './topics.ts'

export interface KafkaTargetOptions {
  readonly settings: KafkaSettings
  readonly producer: ProducerSettings
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/** One Kafka cluster as the pipelines' target. Disposing it disposes every sink that is still open. */
export interface KafkaTarget extends AsyncDisposable {
  /**
   * Asks the cluster something. Throws Retryable SINK_UNREACHABLE, Configuration SINK_AUTH_FAILED or
   * SINK_UNAUTHORIZED.
   */
  check(signal: AbortSignal): Promise<void>
  /** A sink with a producer of its own for `pipeline`. Throws Retryable or Configuration. */
  open(pipeline: string, signal: AbortSignal): Promise<Sink>
}

export function createKafkaTarget(options: KafkaTargetOptions): KafkaTarget {
  return new Target(options)
}

class Target implements KafkaTarget {
  readonly #options: KafkaTargetOptions
  readonly #limits: TopicLimits
  readonly #sinks = new Set<Sink>()

  constructor(options: KafkaTargetOptions) {
    this.#options = options
    this.#limits = new TopicLimits(options.producer.batchBytes)
  }

  async check(signal: AbortSignal): Promise<void> {
    try {
      await withAdmin(this.#options, signal, admin => admin.describeCluster())
    } catch (error) {
      signal.throwIfAborted()
      throw reachabilityFaultOf(error, this.#options.settings.brokers)
    }
  }

  async open(pipeline: string, signal: AbortSignal): Promise<Sink> {
    const { settings, producer, clock, meter } = this.#options
    const log = this.#options.log.child({ pipeline })
    const onRetry = () => meter.count('sink_retries_total', { pipeline })
    try {
      const client = await KafkajsProducer.open({ settings, producer, log, clock, onRetry }, signal)
      const countPartitions = this.#countPartitions.bind(this)
      const limits = this.#limits
      const sink = new KafkajsSink({ pipeline, producer: client, settings: producer, limits, countPartitions, meter })
      return this.#keep(sink)
    } catch (error) {
      signal.throwIfAborted()
      throw faultOf(error, 'open a producer')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sinks].map(sink => sink[Symbol.asyncDispose]()))
  }

  #keep(sink: Sink): Sink {
    const sinks = this.#sinks
    const dispose = sink[Symbol.asyncDispose].bind(sink)
    sink[Symbol.asyncDispose] = async () => {
      sinks.delete(sink)
      await dispose()
    }
    sinks.add(sink)
    return sink
  }

  async #countPartitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    const { clock, log } = this.#options
    try {
      const facts = await withAdmin(this.#options, signal, admin => ensureTopic(admin, topic, spec, clock, signal))
      const { partitions, maxMessageBytes, created } = facts
      if (maxMessageBytes !== undefined) this.#limits.learn(topic, maxMessageBytes)
      if (created) log.info({ topic, partitions }, `created topic ${topic} with ${partitions} partitions`)
      else if (spec.partitions !== undefined && spec.partitions !== partitions) {
        const message = `topic ${topic} exists with ${partitions} partitions; the configured ${spec.partitions} do not apply`
        log.warn({ topic, partitions }, message)
      }
      return partitions
    } catch (error) {
      signal.throwIfAborted()
      throw faultOf(error, `prepare topic ${topic}`)
    }
  }
}
