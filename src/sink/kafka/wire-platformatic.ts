import { Retryable } from '../../errors.ts'
import { AnyBroker } from './any-broker.ts'
import { apiVersionsRequest, speaks } from './protocol/api-versions.ts'
import { initProducerIdApi, initProducerIdRequest } from './protocol/init-producer-id.ts'
import { type BrokerAddress, metadataApi, metadataRequest } from './protocol/metadata.ts'
import { produceApi, produceRequest } from './protocol/produce.ts'
import type { Request } from './protocol/request.ts'
import type { KafkaSettings } from './settings.ts'
import type { BrokerConnection, ProduceAnswer, ProduceBatch, ProducerIdentity, TopicLeaders, Wire } from './wire.ts'
import { WireConnection } from './wire-connection.ts'

export interface WireLimits {
  /** For one connection: TCP, TLS and SASL together. */
  readonly connectTimeoutMs: number
  /** For the answer to one produce request; longer than `ackTimeoutMs`, so that the broker's own answer arrives. */
  readonly requestTimeoutMs: number
  /** How long a broker waits for its replicas. */
  readonly ackTimeoutMs: number
  /** For metadata and producer ids: a frozen broker must not keep us from asking another one for long. */
  readonly questionTimeoutMs: number
}

export const defaultWireLimits: WireLimits = {
  connectTimeoutMs: 5_000,
  requestTimeoutMs: 15_000,
  ackTimeoutMs: 10_000,
  questionTimeoutMs: 5_000,
}

export interface WireOptions {
  readonly settings: KafkaSettings
  readonly limits: WireLimits
}

/** The wire over connections of @platformatic/kafka. Connects when first asked. */
export function createWire(options: WireOptions): Wire {
  return new PlatformaticWire(options)
}

/**
 * Whether the cluster speaks what this wire needs: Kafka itself since 2.4, some services never. Asks one broker;
 * throws Faults as `Wire` does. That a service lists InitProducerId does not mean that it lets one produce with it.
 */
export async function isWireSupported(options: WireOptions, signal: AbortSignal): Promise<boolean> {
  await using wire = new PlatformaticWire(options)
  const versions = await wire.ask(apiVersionsRequest(), signal)
  return [produceApi, metadataApi, initProducerIdApi].every(api => speaks(versions, api))
}

class PlatformaticWire implements Wire {
  readonly #settings: KafkaSettings
  readonly #limits: WireLimits
  readonly #anyBroker: AnyBroker
  readonly #disposing = new AbortController()
  readonly #connections = new Set<WireConnection>()
  /** By the newest metadata. */
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map()

  constructor({ settings, limits }: WireOptions) {
    this.#settings = settings
    this.#limits = limits
    this.#anyBroker = new AnyBroker(settings.brokers, (address, signal) =>
      this.#open(address, limits.questionTimeoutMs, signal),
    )
  }

  /** To whichever broker answers. */
  ask<T>(request: Request<T>, signal: AbortSignal): Promise<T> {
    return this.#anyBroker.ask(request, signal)
  }

  async connect(nodeId: number, signal: AbortSignal): Promise<BrokerConnection> {
    if (!this.#brokers.has(nodeId)) await this.leaders([], signal)
    const address = this.#brokers.get(nodeId)
    if (address === undefined) {
      throw new Retryable('SINK_UNAVAILABLE', `Kafka: no broker ${nodeId} is in the cluster at present`)
    }
    const either = AbortSignal.any([signal, this.#disposing.signal])
    const connection = await this.#open(address, this.#limits.requestTimeoutMs, either)
    for (const other of this.#connections) if (other.closed) this.#connections.delete(other)
    this.#connections.add(connection)
    return new ProduceConnection(nodeId, connection, this.#limits.ackTimeoutMs)
  }

  async leaders(topics: readonly string[], signal: AbortSignal): Promise<readonly TopicLeaders[]> {
    const metadata = await this.ask(metadataRequest(topics), signal)
    this.#brokers = metadata.brokers
    this.#anyBroker.learn(metadata.brokers.values())
    return metadata.topics
  }

  initProducerId(signal: AbortSignal): Promise<ProducerIdentity> {
    return this.ask(initProducerIdRequest(), signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    this.#anyBroker[Symbol.dispose]()
    for (const connection of this.#connections) connection.close()
  }

  #open(address: BrokerAddress, requestTimeoutMs: number, signal: AbortSignal): Promise<WireConnection> {
    const { connectTimeoutMs } = this.#limits
    return WireConnection.open({ kafka: this.#settings, connectTimeoutMs, requestTimeoutMs }, address, signal)
  }
}

class ProduceConnection implements BrokerConnection {
  readonly nodeId: number
  readonly #connection: WireConnection
  readonly #ackTimeoutMs: number

  constructor(nodeId: number, connection: WireConnection, ackTimeoutMs: number) {
    this.nodeId = nodeId
    this.#connection = connection
    this.#ackTimeoutMs = ackTimeoutMs
  }

  produce(batches: readonly ProduceBatch[]): Promise<ProduceAnswer> {
    return this.#connection.request(produceRequest(batches, this.#ackTimeoutMs))
  }

  close(): void {
    this.#connection.close()
  }
}
