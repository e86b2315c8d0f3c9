import type { Clock } from '../../clock.ts'
import { Retryable } from '../../errors.ts'
import { AnyBroker } from './any-broker.ts'
import { throttlingQuotaExceeded } from './producer/produce-errors.ts'
import { addPartitionsToTxnApi, addPartitionsToTxnRequest } from './protocol/add-partitions-to-txn.ts'
import { apiVersionsRequest, speaks } from './protocol/api-versions.ts'
import { describeTransactionRequest, describeTransactionsApi } from './protocol/describe-transactions.ts'
import { endTxnApi, endTxnRequest } from './protocol/end-txn.ts'
import { findCoordinatorApi, findCoordinatorRequest } from './protocol/find-coordinator.ts'
import { initProducerIdApi, initProducerIdRequest } from './protocol/init-producer-id.ts'
import { type BrokerAddress, metadataApi, metadataRequest } from './protocol/metadata.ts'
import { produceApi, produceRequest } from './protocol/produce.ts'
import type { Request } from './protocol/request.ts'
import type { KafkaSettings } from './settings.ts'
import type {
  BrokerConnection,
  CoordinatorConnection,
  ProduceAnswer,
  ProduceBatch,
  ProducerIdentity,
  TopicLeaders,
  TopicPartition,
  TransactionalIdentity,
  TransactionDescription,
  Wire,
} from './wire.ts'
import { WireConnection } from './wire-connection.ts'

export interface WireLimits {
  /** For one connection: TCP, TLS and SASL together. */
  readonly connectTimeoutMs: number
  /** For the answer to one produce request; longer than `ackTimeoutMs`, so that the broker's own answer arrives. */
  readonly requestTimeoutMs: number
  /** How long a broker waits for its replicas. */
  readonly ackTimeoutMs: number
  /** For the answer to any other question. Long before, another broker is asked: as well, or who is to be asked now. */
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
  /** Errors of Produce by which this target says that it is given too much; absent: Kafka's own alone. */
  readonly throttleErrors?: readonly number[] | undefined
  readonly clock: Clock
}

/** The wire over connections of @platformatic/kafka. Connects when first asked. */
export function createWire(options: WireOptions): Wire {
  return new PlatformaticWire(options)
}

/** What a cluster says that it speaks. That a service lists an API does not mean that it lets one use it. */
export interface WireSupport {
  /** All that producing over this wire needs: Kafka itself since 2.4, some services never. */
  readonly producing: boolean
  readonly idempotence: boolean
  readonly transactions: boolean
  /** Highest version of Produce, 0 where it lists none. */
  readonly produceVersion: number
  /** It can be asked whether it would create a topic: CreateTopics with `validate_only`. */
  readonly validatesTopics: boolean
  /** CreatePartitions. */
  readonly addsPartitions: boolean
}

/** Version 2, of Kafka 0.11, is the first that has `validate_only` and is still spoken by Kafka 4. */
const createTopicsApi = { apiKey: 19, apiVersion: 2 }
const createPartitionsApi = 37

/** Asks one broker; throws Faults as `Wire` does. */
export async function probeWire(options: WireOptions, signal: AbortSignal): Promise<WireSupport> {
  await using wire = new PlatformaticWire(options)
  const versions = await wire.ask(apiVersionsRequest(), signal)
  const speaksAll = (...apis: { apiKey: number; apiVersion: number }[]) => apis.every(api => speaks(versions, api))
  const idempotence = speaksAll(initProducerIdApi)
  return {
    producing: idempotence && speaksAll(produceApi, metadataApi),
    idempotence,
    transactions: idempotence && speaksAll(findCoordinatorApi, addPartitionsToTxnApi, endTxnApi),
    produceVersion: versions.get(produceApi.apiKey)?.highest ?? 0,
    validatesTopics: speaksAll(createTopicsApi),
    addsPartitions: versions.has(createPartitionsApi),
  }
}

class PlatformaticWire implements Wire {
  readonly #settings: KafkaSettings
  readonly #limits: WireLimits
  readonly #throttleErrors: readonly number[]
  readonly #anyBroker: AnyBroker
  readonly #disposing = new AbortController()
  readonly #connections = new Set<WireConnection>()
  /** By the newest metadata. */
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map()

  constructor({ settings, limits, throttleErrors = [], clock }: WireOptions) {
    this.#settings = settings
    this.#limits = limits
    this.#throttleErrors = throttleErrors
    this.#anyBroker = new AnyBroker({
      bootstrap: settings.brokers,
      open: (address, signal) => this.#open(address, limits.questionTimeoutMs, signal),
      clock,
    })
  }

  /** To whichever broker answers. */
  ask<T>(request: Request<T>, signal: AbortSignal): Promise<T> {
    return this.#anyBroker.ask(request, signal)
  }

  async connect(nodeId: number, signal: AbortSignal): Promise<BrokerConnection> {
    const connection = await this.#keep(nodeId, this.#limits.requestTimeoutMs, signal)
    return new ProduceConnection(nodeId, connection, this.#limits.ackTimeoutMs, this.#throttleErrors)
  }

  async findCoordinator(transactionalId: string, signal: AbortSignal): Promise<number> {
    const { nodeId, host, port } = await this.ask(findCoordinatorRequest('transaction', transactionalId), signal)
    this.#brokers = new Map(this.#brokers).set(nodeId, { host, port })
    return nodeId
  }

  async coordinate(nodeId: number, signal: AbortSignal): Promise<CoordinatorConnection> {
    return new TransactionConnection(await this.#keep(nodeId, this.#limits.questionTimeoutMs, signal))
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

  /** A connection to that broker, closed with the wire. */
  async #keep(nodeId: number, requestTimeoutMs: number, signal: AbortSignal): Promise<WireConnection> {
    if (!this.#brokers.has(nodeId)) await this.leaders([], signal)
    const address = this.#brokers.get(nodeId)
    if (address === undefined) {
      throw new Retryable('SINK_UNAVAILABLE', `Kafka: no broker ${nodeId} is in the cluster at present`)
    }
    const connection = await this.#open(address, requestTimeoutMs, AbortSignal.any([signal, this.#disposing.signal]))
    for (const other of this.#connections) if (other.closed) this.#connections.delete(other)
    this.#connections.add(connection)
    return connection
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
  readonly #throttleErrors: readonly number[]

  constructor(nodeId: number, connection: WireConnection, ackTimeoutMs: number, throttleErrors: readonly number[]) {
    this.nodeId = nodeId
    this.#connection = connection
    this.#ackTimeoutMs = ackTimeoutMs
    this.#throttleErrors = throttleErrors
  }

  async produce(batches: readonly ProduceBatch[], transactionalId?: string): Promise<ProduceAnswer> {
    const request = produceRequest(batches, this.#ackTimeoutMs, transactionalId)
    const answer = await this.#connection.request(request)
    return this.#throttleErrors.length === 0 ? answer : this.#inKafkasWords(answer)
  }

  #inKafkasWords({ results, throttleMs }: ProduceAnswer): ProduceAnswer {
    const isThrottle = (code: number) => this.#throttleErrors.includes(code)
    const translated = results.map(result =>
      isThrottle(result.errorCode) ? { ...result, errorCode: throttlingQuotaExceeded } : result,
    )
    return { results: translated, throttleMs }
  }

  close(): void {
    this.#connection.close()
  }
}

class TransactionConnection implements CoordinatorConnection {
  readonly #connection: WireConnection

  constructor(connection: WireConnection) {
    this.#connection = connection
  }

  get closed(): boolean {
    return this.#connection.closed
  }

  initProducerId(transactionalId: string, transactionTimeoutMs: number): Promise<ProducerIdentity> {
    return this.#connection.request(initProducerIdRequest({ transactionalId, transactionTimeoutMs }))
  }

  addPartitions(identity: TransactionalIdentity, partitions: readonly TopicPartition[]): Promise<void> {
    return this.#connection.request(addPartitionsToTxnRequest(identity, partitions))
  }

  endTransaction(identity: TransactionalIdentity, outcome: 'commit' | 'abort'): Promise<void> {
    return this.#connection.request(endTxnRequest(identity, outcome))
  }

  /** It is asked so seldom that whether the broker knows the question is asked each time. */
  async describeTransaction(transactionalId: string): Promise<TransactionDescription | undefined> {
    const versions = await this.#connection.request(apiVersionsRequest())
    if (!speaks(versions, describeTransactionsApi)) return undefined
    return await this.#connection.request(describeTransactionRequest(transactionalId))
  }

  close(): void {
    this.#connection.close()
  }
}
