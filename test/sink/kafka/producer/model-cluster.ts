import { maxInFlight } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import type {
  BrokerConnection,
  CoordinatorConnection,
  ProduceAnswer,
  ProduceBatch,
  ProduceResult,
  ProducerIdentity,
  TopicLeaders,
  Wire,
} from '../../../../src/sink/kafka/wire.ts'
import { CoordinatorLine } from './coordinator-line.ts'
import { ModelCoordinator } from './model-coordinator.ts'
import { requestTimeoutMs, unavailable } from './model-faults.ts'
import { ModelLog } from './model-log.ts'
import type { VirtualTime } from './virtual-time.ts'
import { WireWatch } from './wire-watch.ts'

const partitionsPerTopic = 3
const refused = { code: 6, baseOffset: -1, appended: undefined } // NOT_LEADER_OR_FOLLOWER

interface Sent {
  readonly batches: readonly ProduceBatch[]
  /** As the bytes were when they were handed over. */
  readonly copies: readonly Buffer[]
  readonly settled: PromiseWithResolvers<ProduceAnswer>
  readonly callOffTimeout: () => void
  isOpen: boolean
}

/** A few brokers behind the interface that the producer uses, with the faults of real ones. It notes what is wrong. */
export class ModelCluster implements Wire {
  readonly violations: string[] = []
  readonly time: VirtualTime
  readonly brokers: readonly ModelBroker[]
  readonly #logs = new Map<string, ModelLog>()
  readonly watch = new WireWatch(this.violations)
  readonly coordinator: ModelCoordinator
  #producers = 0n
  /** While true, nobody answers questions about the cluster. */
  isBlind = false
  lookUps = 0

  constructor(time: VirtualTime, brokers: number) {
    this.time = time
    this.brokers = Array.from({ length: brokers }, (_, id) => new ModelBroker(this, id))
    this.coordinator = new ModelCoordinator(this)
  }

  /** Produce requests so far. */
  get produced(): number {
    return this.watch.produced
  }

  /** A producer id that no other has. */
  nextProducerId(): bigint {
    this.#producers += 1n
    return this.#producers
  }

  log(topic: string, partition: number): ModelLog {
    const name = `${topic}/${partition}`
    const known = this.#logs.get(name)
    if (known !== undefined) return known
    const log = new ModelLog(partition % this.brokers.length)
    this.#logs.set(name, log)
    return log
  }

  logs(): readonly ModelLog[] {
    return [...this.#logs.values()]
  }

  async connect(nodeId: number, signal: AbortSignal): Promise<BrokerConnection> {
    return new ModelConnection(this, await this.#reach(nodeId, signal))
  }

  async #reach(nodeId: number, signal: AbortSignal): Promise<ModelBroker> {
    const broker = this.brokers[nodeId]
    await this.time.sleep(this.time.between(1, 4), signal)
    if (broker === undefined || !broker.isUp) throw unavailable('connection refused')
    if (!broker.isFrozen) return broker
    await this.time.sleep(requestTimeoutMs, signal)
    throw unavailable('connecting took too long')
  }

  async leaders(topics: readonly string[], signal: AbortSignal): Promise<readonly TopicLeaders[]> {
    this.lookUps += 1
    // What a broker knows of the cluster is old by the time that it arrives.
    const found = topics.map(topic => ({
      topic,
      errorCode: 0,
      leaders: Array.from({ length: partitionsPerTopic }, (_, partition) => this.log(topic, partition).leader),
    }))
    await this.time.sleep(this.time.between(1, 20), signal)
    if (this.isBlind) throw unavailable('no broker answers')
    return found
  }

  async initProducerId(): Promise<ProducerIdentity> {
    return { producerId: this.nextProducerId(), producerEpoch: 0 }
  }

  async findCoordinator(transactionalId: string, signal: AbortSignal): Promise<number> {
    const nodeId = this.coordinator.nodeOf(transactionalId)
    await this.time.sleep(this.time.between(1, 5), signal)
    if (this.isBlind || nodeId === undefined) throw unavailable('no broker answers')
    return nodeId
  }

  async coordinate(nodeId: number, signal: AbortSignal): Promise<CoordinatorConnection> {
    return new CoordinatorLine(this, await this.#reach(nodeId, signal))
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Whether a broker is down for good matters to nobody: the next replica leads what it led. */
  moveFrom(broker: number, share: number): void {
    for (const log of this.#logs.values())
      if (log.leader === broker) log.move((broker + 1) % this.brokers.length, share)
  }
}

/** A connection, seen from the broker. */
export interface Breakable {
  /** Nobody hears of what is under way; `processed`: it takes effect all the same. */
  break(processed: boolean): void
}

export class ModelBroker {
  readonly id: number
  readonly #cluster: ModelCluster
  readonly #connections = new Set<Breakable>()
  isUp = true
  isFrozen = false
  /** It asks with its next answer for a pause of so long. */
  throttleMs = 0
  /** Known to the client: no request before. */
  throttledUntilMs = 0

  constructor(cluster: ModelCluster, id: number) {
    this.#cluster = cluster
    this.id = id
  }

  add(connection: Breakable): void {
    this.#connections.add(connection)
  }

  remove(connection: Breakable): void {
    this.#connections.delete(connection)
  }

  /** Every connection breaks. `processed`: what has arrived still takes effect. */
  cut(processed: boolean): void {
    for (const connection of [...this.#connections]) connection.break(processed)
  }

  down(forMs: number, share: number): void {
    this.isUp = false
    this.cut(false)
    this.#cluster.moveFrom(this.id, share)
    this.#cluster.time.after(forMs, () => {
      this.isUp = true
    })
  }

  freeze(forMs: number): void {
    this.isFrozen = true
    this.#cluster.time.after(forMs, () => {
      this.isFrozen = false
    })
  }

  process(batches: readonly ProduceBatch[], copies: readonly Buffer[]): Processed[] {
    return batches.map(({ topic, partition }, i) => {
      const log = this.#cluster.log(topic, partition)
      const isLeader = log.leader === this.id
      const { code, baseOffset, appended } = isLeader ? log.append(copies[i] ?? Buffer.alloc(0)) : refused
      if (appended !== undefined) this.#cluster.coordinator.noteAppended(appended, `${topic}/${partition}`)
      const result = { topic, partition, errorCode: code, baseOffset: BigInt(baseOffset), rejected: [] }
      return { result, epoch: log.epoch }
    })
  }

  /** All replicas have it: only a broker that still leads can know. */
  commit(processed: readonly Processed[]): ProduceResult[] {
    return processed.map(({ result, epoch }) => {
      if (result.errorCode !== 0) return result
      const log = this.#cluster.log(result.topic, result.partition)
      if (log.epoch !== epoch) return { ...result, errorCode: refused.code, baseOffset: -1n }
      log.commit()
      return result
    })
  }
}

/** A result, and in which epoch it was found. */
interface Processed {
  readonly result: ProduceResult
  readonly epoch: number
}

/** Requests are handled one after the other, as a broker does; what arrived is handled even if nobody waits for it. */
class ModelConnection implements BrokerConnection, Breakable {
  readonly nodeId: number
  readonly #cluster: ModelCluster
  readonly #broker: ModelBroker
  readonly #queue: Sent[] = []
  #isHandling = false
  #isOpen = true

  constructor(cluster: ModelCluster, broker: ModelBroker) {
    this.#cluster = cluster
    this.#broker = broker
    this.nodeId = broker.id
    broker.add(this)
  }

  produce(batches: readonly ProduceBatch[], transactionalId?: string): Promise<ProduceAnswer> {
    const { time, violations } = this.#cluster
    if (!this.#isOpen) return Promise.reject(unavailable('the connection is closed'))
    this.#cluster.watch.sent(batches, transactionalId)
    if (time.nowMs() < this.#broker.throttledUntilMs) violations.push(`a request to throttled broker ${this.nodeId}`)
    const settled = Promise.withResolvers<ProduceAnswer>()
    const copies = batches.map(({ bytes }) => Buffer.from(bytes))
    const callOffTimeout = time.after(requestTimeoutMs, () => this.close())
    const sent: Sent = { batches, copies, settled, callOffTimeout, isOpen: true }
    this.#queue.push(sent)
    if (this.#queue.filter(({ isOpen }) => isOpen).length > maxInFlight) violations.push('too many requests in flight')
    if (!this.#isHandling) void this.#handle()
    return settled.promise
  }

  close(): void {
    this.break(true)
  }

  /** Nobody hears of what is under way; `processed`: it takes effect all the same. */
  break(processed: boolean): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#broker.remove(this)
    for (const sent of this.#queue) this.#settle(sent, undefined)
    if (!processed) this.#queue.length = 0
  }

  async #handle(): Promise<void> {
    const { time } = this.#cluster
    this.#isHandling = true
    for (let sent = this.#queue[0]; sent !== undefined; sent = this.#queue[0]) {
      await time.sleep(time.between(0.5, 4))
      while (this.#broker.isFrozen) await time.sleep(10)
      if (this.#queue[0] !== sent) break // Lost with the connection.
      this.#checkUntouched(sent)
      const results = this.#broker.process(sent.batches, sent.copies)
      await time.sleep(time.between(0.5, 8))
      while (this.#broker.isFrozen) await time.sleep(10)
      this.#queue.shift()
      this.#settle(sent, { results: this.#broker.commit(results), throttleMs: this.#broker.throttleMs })
    }
    this.#isHandling = false
  }

  /** While somebody waits for the answer the bytes belong to the request. */
  #checkUntouched({ isOpen, batches, copies }: Sent): void {
    if (!isOpen || batches.every(({ bytes }, i) => copies[i]?.equals(bytes))) return
    this.#cluster.violations.push('bytes changed while they were on the wire')
  }

  /** Without an answer the request has failed. */
  #settle(sent: Sent, answer: ProduceAnswer | undefined): void {
    if (!sent.isOpen) return
    sent.isOpen = false
    sent.callOffTimeout()
    this.#cluster.watch.settled(sent.batches, sent.copies)
    if (answer === undefined) {
      sent.settled.reject(unavailable('the connection is gone'))
      return
    }
    if (answer.throttleMs > 0) this.#broker.throttledUntilMs = this.#cluster.time.nowMs() + answer.throttleMs
    this.#broker.throttleMs = 0
    sent.settled.resolve(answer)
  }
}
