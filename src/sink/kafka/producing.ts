import type { Clock } from '../../clock.ts'
import type { Logger } from '../../log.ts'
import type { Meter } from '../../meter.ts'
import type { Sink, TopicSpec } from '../sink.ts'
import { KafkajsProducer } from './kafkajs/partition-producer.ts'
import { KafkajsSink } from './kafkajs-sink.ts'
import { Dispatcher } from './producer/dispatcher.ts'
import { BufferPool } from './record-batch/buffer-pool.ts'
import type { ClientChoice, KafkaSettings, ProducerSettings } from './settings.ts'
import type { TopicLimits } from './topic-limits.ts'
import { createWire, defaultWireLimits, isWireSupported, type WireOptions } from './wire-platformatic.ts'
import { WireSink } from './wire-sink.ts'

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
  /** A sink with a producer of its own. Throws a Fault, or an error of kafkajs. */
  open(pipeline: string, signal: AbortSignal): Promise<Sink>
}

/** The way that `client` names, or for `auto` the first that the cluster is new enough for. Throws a Fault. */
export async function chooseProducing(options: ProducingOptions, signal: AbortSignal): Promise<Producing> {
  const wire = wireOptions(options)
  const isNew = options.client === 'auto' ? await isWireSupported(wire, signal) : options.client === 'platformatic'
  options.log.debug({ client: isNew ? 'platformatic' : 'kafkajs' }, 'how records are produced')
  return isNew ? new WireProducing(options, wire) : new KafkajsProducing(options)
}

/** A broker is given up before the producer gives up, so that there is time for another connection. */
function wireOptions({ settings, producer }: ProducingOptions): WireOptions {
  const requestTimeoutMs = Math.min(defaultWireLimits.requestTimeoutMs, producer.deliveryTimeoutMs)
  const ackTimeoutMs = Math.min(defaultWireLimits.ackTimeoutMs, requestTimeoutMs)
  return { settings, limits: { ...defaultWireLimits, requestTimeoutMs, ackTimeoutMs } }
}

/** Record batches of our own; all pipelines share one connection a broker. */
class WireProducing implements Producing {
  readonly client = 'platformatic'
  readonly #options: ProducingOptions
  readonly #wire: ReturnType<typeof createWire>
  readonly #dispatcher: Dispatcher
  readonly #buffers = new BufferPool()

  constructor(options: ProducingOptions, wire: WireOptions) {
    const { producer, clock, log } = options
    this.#options = options
    this.#wire = createWire(wire)
    const settings = { lingerMs: producer.lingerMs, requestBytes: batchesPerRequest * producer.batchBytes }
    this.#dispatcher = new Dispatcher({ wire: this.#wire, settings, clock, log })
  }

  open(pipeline: string, signal: AbortSignal): Promise<Sink> {
    const { producer: settings, limits, countPartitions, clock, meter } = this.#options
    const shared = { wire: this.#wire, dispatcher: this.#dispatcher, buffers: this.#buffers }
    return WireSink.open({ pipeline, ...shared, limits, settings, countPartitions, clock, meter }, signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dispatcher[Symbol.dispose]()
    await this.#wire[Symbol.asyncDispose]()
  }
}

/** kafkajs, with a client for each pipeline. */
class KafkajsProducing implements Producing {
  readonly client = 'kafkajs'
  readonly #options: ProducingOptions

  constructor(options: ProducingOptions) {
    this.#options = options
  }

  async open(pipeline: string, signal: AbortSignal): Promise<Sink> {
    const { settings, producer, limits, countPartitions, clock, meter } = this.#options
    const log = this.#options.log.child({ pipeline })
    const onRetry = () => meter.count('sink_retries_total', { pipeline })
    const client = await KafkajsProducer.open({ settings, producer, log, clock, onRetry }, signal)
    return new KafkajsSink({ pipeline, producer: client, settings: producer, limits, countPartitions, meter })
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
