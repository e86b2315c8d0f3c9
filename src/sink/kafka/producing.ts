import { type Clock, steady } from '../../clock.ts'
import { Configuration } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import type { Preset } from '../../preset.ts'
import type { Sink, SinkRequest, TopicSpec } from '../sink.ts'
import { KafkajsProducer } from './kafkajs/partition-producer.ts'
import { KafkajsSink } from './kafkajs-sink.ts'
import { type OnTurn, Pacing } from './pacing.ts'
import { type ProducingPlan, planProducing } from './plan.ts'
import { probe } from './probe.ts'
import { Coordinators } from './producer/coordinators.ts'
import { Dispatcher } from './producer/dispatcher.ts'
import { BufferPool } from './record-batch/buffer-pool.ts'
import type { ClientChoice, KafkaSettings, ProducerSettings } from './settings.ts'
import { SizeGuard } from './size-guard.ts'
import type { TopicLimits } from './topic-limits.ts'
import { createWire, defaultWireLimits, type WireOptions } from './wire-platformatic.ts'
import { openWireSink } from './wire-sink.ts'
import { WovenSink, WovenTransactionalSink } from './woven-sink.ts'

/** Batches of several partitions, and of several pipelines, travel in one request. */
const batchesPerRequest = 4

export interface ProducingOptions {
  readonly settings: KafkaSettings
  readonly preset: Preset
  /** For a round trip; undefined: nothing is written to find out more. */
  readonly probeTopic: string | undefined
  /** See ProbeOptions. */
  readonly askedTopic: string | undefined
  readonly client: ClientChoice
  readonly producer: ProducerSettings
  readonly limits: TopicLimits
  readonly countPartitions: (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>
  /** Told of each batch where bytes are paced. */
  readonly onTurn: OnTurn | undefined
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/** A way of producing to one cluster, with what its sinks share. Dispose the sinks first. */
export interface Producing extends AsyncDisposable {
  readonly plan: ProducingPlan
  /** A sink with a producer of its own. Throws a Fault, or an error of kafkajs. */
  open(request: SinkRequest, signal: AbortSignal): Promise<Sink>
}

/**
 * The way that `client` names, or for `auto` the first that the cluster is new enough for. Throws a Fault, Configuration
 * SINK_UNSUPPORTED where the target cannot do what was asked for.
 */
export async function chooseProducing(options: ProducingOptions, signal: AbortSignal): Promise<Producing> {
  const { preset, client, producer, limits, log } = options
  const wire = wireOptions(options)
  const probed = await probe({ ...options, wire }, signal)
  const { compression, batchBytes } = producer
  const plan = planProducing(preset, { client, compression, batchBytes }, probed)
  limits.bound(plan.batchBytes)
  const { headers: recordHeaders, idempotence, transactions } = plan.capabilities // Logs hide what is called headers.
  log.debug({ client: plan.client, recordHeaders, idempotence, transactions }, 'how records are produced')
  return plan.client === 'platformatic' ? new WireProducing(options, wire, plan) : new KafkajsProducing(options, plan)
}

/** `sink`, guarded where the target has a limit of its own for a request, and given no headers where it refuses them. */
function guarded(sink: Sink, { recordLimitBytes, capabilities }: ProducingPlan): Sink {
  const within = recordLimitBytes === undefined ? sink : new SizeGuard(sink, recordLimitBytes)
  return capabilities.headers ? within : new WovenSink(within)
}

/** A broker is given up before the producer gives up, so that there is time for another connection. */
function wireOptions({ settings, preset, producer, clock }: ProducingOptions): WireOptions {
  const requestTimeoutMs = Math.min(defaultWireLimits.requestTimeoutMs, producer.deliveryTimeoutMs)
  const ackTimeoutMs = Math.min(defaultWireLimits.ackTimeoutMs, requestTimeoutMs)
  const limits = { ...defaultWireLimits, requestTimeoutMs, ackTimeoutMs }
  return { settings, limits, throttleErrors: preset.throttleErrors, clock: steady(clock) }
}

/** Record batches of our own; all pipelines share one connection a broker. */
class WireProducing implements Producing {
  readonly plan: ProducingPlan
  readonly #options: ProducingOptions
  readonly #wire: ReturnType<typeof createWire>
  readonly #dispatcher: Dispatcher
  readonly #coordinators: Coordinators
  readonly #buffers = new BufferPool()

  constructor(options: ProducingOptions, wire: WireOptions, plan: ProducingPlan) {
    const { producer, log } = options
    const clock = steady(options.clock)
    this.#options = options
    this.plan = plan
    this.#wire = createWire(wire)
    const { batchBytes, recordLimitBytes = Number.POSITIVE_INFINITY } = plan
    const requestBytes = Math.min(batchesPerRequest * batchBytes, recordLimitBytes)
    const settings = { lingerMs: producer.lingerMs, requestBytes }
    this.#dispatcher = new Dispatcher({ wire: this.#wire, settings, clock, log })
    this.#coordinators = new Coordinators({ wire: this.#wire, clock })
  }

  async open(request: SinkRequest, signal: AbortSignal): Promise<Sink> {
    const { producer: settings, limits, countPartitions, clock, meter } = this.#options
    const { capabilities } = this.plan
    if (request.transactions && !capabilities.transactions) throw unsupported('the cluster has no transactions')
    // Without transactions nobody coordinates transactional ids, and so nobody is fenced by them.
    const ownId = capabilities.transactions ? request : { ...request, transactionalId: undefined }
    const shared = {
      wire: this.#wire,
      dispatcher: this.#dispatcher,
      coordinators: this.#coordinators,
      buffers: this.#buffers,
    }
    const { transactionTimeoutMs } = settings
    const sink = await openWireSink(
      { capabilities, ...shared, limits, settings, transactionTimeoutMs, countPartitions, clock, meter },
      ownId,
      signal,
    )
    if (!request.transactions) return guarded(sink, this.plan)
    return capabilities.headers || !('commit' in sink) ? sink : new WovenTransactionalSink(sink)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#coordinators[Symbol.dispose]()
    this.#dispatcher[Symbol.dispose]()
    await this.#wire[Symbol.asyncDispose]()
  }
}

/**
 * kafkajs, with a client for each sink. It can fence nobody: only for transactions of its own does it ask for an identity
 * of a transactional id.
 */
class KafkajsProducing implements Producing {
  readonly plan: ProducingPlan
  readonly #options: ProducingOptions
  /** One for all sinks: they write to the same partitions. */
  readonly #pacing: Pacing | undefined

  constructor(options: ProducingOptions, plan: ProducingPlan) {
    this.#options = options
    this.plan = plan
    const { partitionBytesPerSecond } = plan
    if (partitionBytesPerSecond === undefined) return
    this.#pacing = new Pacing(partitionBytesPerSecond, steady(options.clock), options.onTurn)
  }

  async open({ pipeline, transactions }: SinkRequest, signal: AbortSignal): Promise<Sink> {
    if (transactions) throw unsupported('records are sent by kafkajs, without transactions')
    const { settings, producer, preset, limits, countPartitions, meter } = this.#options
    const { throttleErrors } = preset
    const clock = steady(this.#options.clock)
    const log = this.#options.log.child({ pipeline })
    const onRetry = () => meter.count('sink_retries_total', { pipeline })
    const onThrottled = (waitMs: number) => meter.count('sink_throttled_seconds_total', { pipeline }, waitMs / 1_000)
    const { capabilities } = this.plan
    const { idempotence: idempotent } = capabilities
    const client = await KafkajsProducer.open(
      { settings, producer, idempotent, throttleErrors, log, clock, onRetry, onThrottled },
      signal,
    )
    const shared = { capabilities, limits, countPartitions, meter, pacing: this.#pacing }
    return guarded(new KafkajsSink({ pipeline, producer: client, settings: producer, ...shared }), this.plan)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function unsupported(why: string): Configuration {
  return new Configuration('DELIVERY_UNSUPPORTED', `delivery: exactly-once: ${why}`)
}
