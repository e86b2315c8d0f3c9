import type { Clock } from '../../clock.ts'
import { Configuration } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import type { Capabilities, Sink, SinkRequest, TopicSpec } from '../sink.ts'
import { KafkajsProducer } from './kafkajs/partition-producer.ts'
import { KafkajsSink } from './kafkajs-sink.ts'
import { Coordinators } from './producer/coordinators.ts'
import { Dispatcher } from './producer/dispatcher.ts'
import { BufferPool } from './record-batch/buffer-pool.ts'
import type { ClientChoice, KafkaSettings, ProducerSettings } from './settings.ts'
import type { TopicLimits } from './topic-limits.ts'
import { createWire, defaultWireLimits, probeWire, type WireOptions } from './wire-platformatic.ts'
import { openWireSink } from './wire-sink.ts'

/** Batches of several partitions, and of several pipelines, travel in one request. */
const batchesPerRequest = 4

export interface ProducingOptions {
  readonly settings: KafkaSettings
  readonly client: ClientChoice
  readonly producer: ProducerSettings
  readonly limits: TopicLimits
  readonly countPartitions: (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/** A way of producing to one cluster, with what its sinks share. Dispose the sinks first. */
export interface Producing extends AsyncDisposable {
  readonly client: Exclude<ClientChoice, 'auto'>
  readonly capabilities: Capabilities
  /** A sink with a producer of its own. Throws a Fault, or an error of kafkajs. */
  open(request: SinkRequest, signal: AbortSignal): Promise<Sink>
}

/** The way that `client` names, or for `auto` the first that the cluster is new enough for. Throws a Fault. */
export async function chooseProducing(options: ProducingOptions, signal: AbortSignal): Promise<Producing> {
  const wire = wireOptions(options)
  const { producing, idempotence, transactions } = await probeWire(wire, signal)
  const isNew = options.client === 'auto' ? producing : options.client === 'platformatic'
  const capabilities = { headers: true, idempotence, transactions: isNew && transactions }
  options.log.debug({ client: isNew ? 'platformatic' : 'kafkajs', ...capabilities }, 'how records are produced')
  return isNew ? new WireProducing(options, wire, capabilities) : new KafkajsProducing(options, capabilities)
}

/** A broker is given up before the producer gives up, so that there is time for another connection. */
function wireOptions({ settings, producer, clock }: ProducingOptions): WireOptions {
  const requestTimeoutMs = Math.min(defaultWireLimits.requestTimeoutMs, producer.deliveryTimeoutMs)
  const ackTimeoutMs = Math.min(defaultWireLimits.ackTimeoutMs, requestTimeoutMs)
  return { settings, limits: { ...defaultWireLimits, requestTimeoutMs, ackTimeoutMs }, clock }
}

/** Record batches of our own; all pipelines share one connection a broker. */
class WireProducing implements Producing {
  readonly client = 'platformatic'
  readonly capabilities: Capabilities
  readonly #options: ProducingOptions
  readonly #wire: ReturnType<typeof createWire>
  readonly #dispatcher: Dispatcher
  readonly #coordinators: Coordinators
  readonly #buffers = new BufferPool()

  constructor(options: ProducingOptions, wire: WireOptions, capabilities: Capabilities) {
    const { producer, clock, log } = options
    this.#options = options
    this.capabilities = capabilities
    this.#wire = createWire(wire)
    const settings = { lingerMs: producer.lingerMs, requestBytes: batchesPerRequest * producer.batchBytes }
    this.#dispatcher = new Dispatcher({ wire: this.#wire, settings, clock, log })
    this.#coordinators = new Coordinators({ wire: this.#wire, clock })
  }

  async open(request: SinkRequest, signal: AbortSignal): Promise<Sink> {
    const { producer: settings, limits, countPartitions, clock, meter } = this.#options
    const { capabilities } = this
    if (request.transactions && !capabilities.transactions) throw unsupported('the cluster has no transactions')
    const shared = {
      wire: this.#wire,
      dispatcher: this.#dispatcher,
      coordinators: this.#coordinators,
      buffers: this.#buffers,
    }
    const { transactionTimeoutMs } = settings
    return await openWireSink(
      { capabilities, ...shared, limits, settings, transactionTimeoutMs, countPartitions, clock, meter },
      request,
      signal,
    )
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
  readonly client = 'kafkajs'
  readonly capabilities: Capabilities
  readonly #options: ProducingOptions

  constructor(options: ProducingOptions, capabilities: Capabilities) {
    this.#options = options
    this.capabilities = capabilities
  }

  async open({ pipeline, transactions }: SinkRequest, signal: AbortSignal): Promise<Sink> {
    if (transactions) throw unsupported('records are sent by kafkajs, without transactions')
    const { settings, producer, limits, countPartitions, clock, meter } = this.#options
    const log = this.#options.log.child({ pipeline })
    const onRetry = () => meter.count('sink_retries_total', { pipeline })
    const { capabilities } = this
    const { idempotence: idempotent } = capabilities
    const client = await KafkajsProducer.open({ settings, producer, idempotent, log, clock, onRetry }, signal)
    const shared = { capabilities, limits, countPartitions, meter }
    return new KafkajsSink({ pipeline, producer: client, settings: producer, ...shared })
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

function unsupported(why: string): Configuration {
  return new Configuration('DELIVERY_UNSUPPORTED', `delivery: exactly-once: ${why}`)
}
