import type { Clock } from '../../../clock.ts'
import { Retryable } from '../../../errors.ts'
import { AnyBroker } from '../any-broker.ts'
import { faultOf } from '../classify.ts'
import { type ApiVersions, apiVersionsRequest, speaks } from '../protocol/api-versions.ts'
import { BrokerError } from '../protocol/broker-error.ts'
import { type BrokerAddress, metadataApi, metadataRequest } from '../protocol/metadata.ts'
import type { Request } from '../protocol/request.ts'
import { type ConnectionSettings, WireConnection } from '../wire-connection.ts'

/** After so long without a question everything begins anew. */
const keptMs = 5_000

/**
 * Connections to the leaders of partitions, one a broker, made when first asked. A leader is remembered until `forget`:
 * only its own answer shows that it leads no more. What nobody has used for a while is not used again: a connection may
 * have died meanwhile without a word, and whoever loads a checkpoint would first wait for an answer that cannot come.
 */
export class LeaderConnections implements AsyncDisposable {
  readonly #settings: ConnectionSettings
  readonly #clock: Clock
  #anyBroker: AnyBroker
  readonly #disposing = new AbortController()
  readonly #connections = new Map<string, Promise<WireConnection>>()
  readonly #leaders = new Map<string, BrokerAddress>()
  #versions: ApiVersions | undefined
  #outstanding = 0
  #usedMs: number

  constructor(settings: ConnectionSettings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
    this.#usedMs = clock.nowMs()
    this.#anyBroker = anyBrokerOf(settings)
  }

  /** What the brokers speak: asked until one has answered, then remembered. */
  async versions(signal: AbortSignal): Promise<ApiVersions> {
    this.#versions ??= await this.#using(() => this.#anyBroker.ask(apiVersionsRequest(), signal))
    return this.#versions
  }

  /**
   * Asks the leader of the partition. Throws Retryable where there is none at present or it does not answer; what was
   * known of it is then forgotten.
   */
  async askLeader<T>(topic: string, partition: number, request: Request<T>, signal: AbortSignal): Promise<T> {
    return await this.#using(async () => {
      const leader = await this.#leaderOf(topic, partition, signal)
      try {
        const connection = await this.#connect(leader)
        signal.throwIfAborted()
        return await connection.request(request)
      } catch (error) {
        this.forget(topic, partition)
        throw error
      }
    })
  }

  forget(topic: string, partition: number): void {
    this.#leaders.delete(nameOf(topic, partition))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    this.#leave()
  }

  /** Asks, with nothing that was idle for long. */
  async #using<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#outstanding === 0 && this.#clock.nowMs() - this.#usedMs > keptMs) {
      this.#leave()
      this.#anyBroker = anyBrokerOf(this.#settings)
    }
    this.#outstanding += 1
    try {
      return await ask()
    } finally {
      this.#outstanding -= 1
      this.#usedMs = this.#clock.nowMs()
    }
  }

  /** Closes and forgets everything. */
  #leave(): void {
    this.#anyBroker[Symbol.dispose]()
    for (const opening of this.#connections.values()) {
      opening.then(
        connection => connection.close(),
        () => {},
      )
    }
    this.#connections.clear()
    this.#leaders.clear()
  }

  async #leaderOf(topic: string, partition: number, signal: AbortSignal): Promise<BrokerAddress> {
    const name = nameOf(topic, partition)
    const known = this.#leaders.get(name)
    if (known !== undefined) return known
    const version = speaks(await this.versions(signal), metadataApi) ? 8 : 4
    const { brokers, topics } = await this.#anyBroker.ask(metadataRequest([topic], version), signal)
    this.#anyBroker.learn(brokers.values())
    const errorCode = topics[0]?.errorCode ?? 0
    if (errorCode !== 0) throw faultOf(new BrokerError(errorCode), `find the leader of ${name}`)
    const leader = brokers.get(topics[0]?.leaders[partition] ?? -1)
    if (leader === undefined) throw new Retryable('SINK_UNAVAILABLE', `Kafka: ${name} has no leader at present`)
    this.#leaders.set(name, leader)
    return leader
  }

  /** Shared by all who ask at once, so none of them may abort it. */
  async #connect(address: BrokerAddress): Promise<WireConnection> {
    const name = `${address.host}:${address.port}`
    const kept = this.#connections.get(name)
    const isOpen = await kept?.then(
      connection => !connection.closed,
      () => false,
    )
    if (kept !== undefined && isOpen) return kept
    if (this.#connections.get(name) === kept) {
      this.#connections.set(name, WireConnection.open(this.#settings, address, this.#disposing.signal))
    }
    return this.#connections.get(name)!
  }
}

function anyBrokerOf(settings: ConnectionSettings): AnyBroker {
  return new AnyBroker(settings.kafka.brokers, (address, signal) => WireConnection.open(settings, address, signal))
}

function nameOf(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
