import { type Clock, steady } from '../../../clock.ts'
import { Retryable } from '../../../errors.ts'
import { AnyBroker, parseAddress } from '../any-broker.ts'
import { BrokerLines } from '../broker-lines.ts'
import { faultOf } from '../classify.ts'
import { type ApiVersions, apiVersionsRequest, speaks } from '../protocol/api-versions.ts'
import { refusedRequest } from '../protocol/broker-error.ts'
import { type BrokerAddress, metadataApi, metadataRequest } from '../protocol/metadata.ts'
import type { Request } from '../protocol/request.ts'
import { type ConnectionSettings, WireConnection } from '../wire-connection.ts'

/** After so long without a question everything begins anew. */
const keptMs = 5_000

/**
 * Connections to the leaders of partitions, one a broker, made when first asked. A leader is remembered until `forget`,
 * or until it is silent and others know better. What nobody has used for a while is not used again: a connection may
 * have died meanwhile without a word, and whoever loads a checkpoint would first wait for an answer that cannot come.
 */
export class LeaderConnections implements AsyncDisposable {
  readonly #clock: Clock
  readonly #anyBroker: AnyBroker
  /** By `host:port`. */
  readonly #lines: BrokerLines<string, WireConnection>
  /** By the name under which its leader is asked for. */
  readonly #partitions = new Map<string, { readonly topic: string; readonly partition: number }>()
  #versions: ApiVersions | undefined
  #outstanding = 0
  #usedMs: number

  constructor(settings: ConnectionSettings, clock: Clock) {
    this.#clock = steady(clock)
    this.#usedMs = this.#clock.nowMs()
    const open = (address: BrokerAddress, signal: AbortSignal) => WireConnection.open(settings, address, signal)
    this.#anyBroker = new AnyBroker({ bootstrap: settings.kafka.brokers, open, clock })
    this.#lines = new BrokerLines({
      find: (name, signal) => this.#findLeader(name, signal),
      open: (broker, signal) => open(parseAddress(broker), signal),
      onAbort: 'keep',
      clock,
    })
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
    const name = nameOf(topic, partition)
    this.#partitions.set(name, { topic, partition })
    return await this.#using(async () => {
      try {
        return await this.#lines.ask(name, connection => connection.request(request), signal)
      } catch (error) {
        this.#lines.forget(name)
        throw error
      }
    })
  }

  forget(topic: string, partition: number): void {
    this.#lines.forget(nameOf(topic, partition))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#anyBroker[Symbol.dispose]()
    this.#lines[Symbol.dispose]()
  }

  /** Asks, with nothing that was idle for long. */
  async #using<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#outstanding === 0 && this.#clock.nowMs() - this.#usedMs > keptMs) {
      this.#anyBroker.hangUp()
      this.#lines.hangUp()
    }
    this.#outstanding += 1
    try {
      return await ask()
    } finally {
      this.#outstanding -= 1
      this.#usedMs = this.#clock.nowMs()
    }
  }

  /** `host:port` of the leader that the newest metadata names. */
  async #findLeader(name: string, signal: AbortSignal): Promise<string> {
    const { topic, partition } = this.#partitions.get(name)!
    const version = speaks(await this.versions(signal), metadataApi) ? 8 : 4
    const { brokers, topics } = await this.#anyBroker.ask(metadataRequest([topic], version), signal)
    this.#anyBroker.learn(brokers.values())
    const errorCode = topics[0]?.errorCode ?? 0
    if (errorCode !== 0) throw faultOf(refusedRequest('Metadata', errorCode, topic), `find the leader of ${name}`)
    const leader = brokers.get(topics[0]?.leaders[partition] ?? -1)
    if (leader === undefined) throw new Retryable('SINK_UNAVAILABLE', `Kafka: ${name} has no leader at present`)
    return `${leader.host}:${leader.port}`
  }
}

function nameOf(topic: string, partition: number): string {
  return `${topic}-${partition}`
}
