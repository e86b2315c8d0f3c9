import { type Clock, steady } from '../../clock.ts'
import { Configuration } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import { type Preset, presets } from '../../preset.ts'
import type { Capabilities, Sink, SinkRequest, TopicSpec, TransactionalSink } from '../sink.ts'
import { advisingSink } from './acl-sink.ts'
import { withAdmin } from './admin.ts'
import { faultOf, reachabilityFaultOf } from './classify.ts'
import { adviceText, Demand } from './demand.ts'
import { KnownTopics } from './known-topics.ts'
import type { ProducingPlan } from './plan.ts'
import { chooseProducing, type Producing } from './producing.ts'
import type { ClientChoice, KafkaSettings, ProducerSettings } from './settings.ts'
import { TopicLimits } from './topic-limits.ts'
import { ensureTopic } from './topics.ts'

export interface KafkaTargetOptions {
  readonly settings: KafkaSettings
  readonly client: ClientChoice
  /** What kind of target it is; absent: Apache Kafka. */
  readonly preset?: Preset
  /** An existing topic for a round trip; absent: nothing is written to find out more. */
  readonly probeTopic?: string | undefined
  /** A topic that does not exist and is never made: whether it could be is asked; absent: nothing is asked about topics. */
  readonly askedTopic?: string | undefined
  readonly producer: ProducerSettings
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/** One Kafka cluster as the pipelines' target. Disposing it disposes every sink that is still open. */
export interface KafkaTarget extends AsyncDisposable {
  /** What sinks of it can do. Known after `check`. */
  readonly capabilities: Capabilities
  /** How records are produced, and why so. Known after `check`. */
  readonly plan: ProducingPlan
  /**
   * Asks the cluster something, and what it can do. Throws Retryable SINK_UNREACHABLE, Configuration SINK_AUTH_FAILED or
   * SINK_UNAUTHORIZED.
   */
  check(signal: AbortSignal): Promise<void>
  /**
   * A sink with a producer of its own. Throws Retryable, or Configuration: DELIVERY_UNSUPPORTED where transactions are
   * asked for and cannot be had.
   */
  open(request: SinkRequest & { readonly transactions: true }, signal: AbortSignal): Promise<TransactionalSink>
  open(request: SinkRequest, signal: AbortSignal): Promise<Sink>
}

export function createKafkaTarget(options: KafkaTargetOptions): KafkaTarget {
  return new Target(options)
}

class Target implements KafkaTarget {
  readonly #options: KafkaTargetOptions
  readonly #limits: TopicLimits
  readonly #topics: KnownTopics
  readonly #sinks = new Set<Sink>()
  #producing: Promise<Producing> | undefined
  #plan: ProducingPlan | undefined
  readonly #preset: Preset
  /** Where a partition takes only so much. */
  readonly #demand: Demand | undefined

  constructor(options: KafkaTargetOptions) {
    this.#options = options
    const { preset = presets.kafka, producer, clock, log } = options
    const { partitionBytesPerSecond, growingTopics } = preset
    this.#preset = preset
    if (partitionBytesPerSecond !== undefined) {
      this.#demand = new Demand(partitionBytesPerSecond, steady(clock), advice =>
        log.warn({ ...advice }, adviceText(advice, this.#plan?.topics.growing ?? growingTopics)),
      )
    }
    this.#limits = new TopicLimits(producer.batchBytes)
    this.#topics = new KnownTopics(this.#countPartitions.bind(this), options.clock)
  }

  get capabilities(): Capabilities {
    return this.plan.capabilities
  }

  get plan(): ProducingPlan {
    if (this.#plan === undefined) throw new Configuration('INTERNAL', 'the target was not checked')
    return this.#plan
  }

  async check(signal: AbortSignal): Promise<void> {
    try {
      await withAdmin(this.#options, signal, admin => admin.describeCluster())
      const { plan } = await this.#choose(signal)
      this.#plan = plan
    } catch (error) {
      signal.throwIfAborted()
      throw reachabilityFaultOf(error, this.#options.settings.brokers)
    }
  }

  async open(request: SinkRequest & { readonly transactions: true }, signal: AbortSignal): Promise<TransactionalSink>
  async open(request: SinkRequest, signal: AbortSignal): Promise<Sink>
  async open(request: SinkRequest, signal: AbortSignal): Promise<Sink> {
    try {
      const producing = await this.#choose(signal)
      return this.#keep(advisingSink(await producing.open(request, signal), this.#options.settings))
    } catch (error) {
      signal.throwIfAborted()
      throw faultOf(error, 'open a producer')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sinks].map(sink => sink[Symbol.asyncDispose]()))
    this.#topics[Symbol.dispose]()
    const producing = await this.#producing?.catch(() => undefined)
    await producing?.[Symbol.asyncDispose]()
  }

  /** Once for all pipelines, which may open at the same time; a failure is not remembered. */
  #choose(signal: AbortSignal): Promise<Producing> {
    const limits = this.#limits
    const countPartitions = this.#topics.partitions.bind(this.#topics)
    const { probeTopic, askedTopic } = this.#options
    const onTurn = this.#demand?.add.bind(this.#demand)
    const options = { ...this.#options, preset: this.#preset, probeTopic, askedTopic, limits, countPartitions, onTurn }
    this.#producing ??= chooseProducing(options, signal).catch(error => {
      this.#producing = undefined
      throw error
    })
    return this.#producing
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
      this.#demand?.know(topic, partitions)
      if (created) log.info({ topic, partitions }, `created topic ${topic} with ${partitions} partitions`)
      else if (spec.partitions !== undefined && spec.partitions !== partitions) {
        const message = `topic ${topic} exists with ${partitions} partitions; the configured ${spec.partitions} do not apply`
        log.warn({ topic, partitions }, message)
      }
      return partitions
    } catch (error) {
      signal.throwIfAborted()
      const fault = faultOf(error, `prepare topic ${topic}`)
      const isRefused = fault.code === 'SINK_REJECTED' && this.#plan?.topics.compaction === false
      throw isRefused && isCompacted(spec) ? notCompacted(topic, error) : fault
    }
  }
}

function isCompacted({ config }: TopicSpec): boolean {
  return config['cleanup.policy']?.includes('compact') === true
}

function notCompacted(topic: string, cause: unknown): Configuration {
  const message = `topic ${topic}: the target does not compact topics: leave topicConfig cleanup.policy out, and let consumers keep the last value of each key`
  return new Configuration('SINK_UNSUPPORTED', message, { cause })
}
