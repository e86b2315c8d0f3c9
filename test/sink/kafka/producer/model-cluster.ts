import { Retryable } from '../../../../src/errors.ts'
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
import { readBatch } from './batch-reader.ts'
import { ModelLog } from './model-log.ts'
import type { VirtualTime } from './virtual-time.ts'

export const requestTimeoutMs = 1_500
const partitionsPerTopic = 3
const refused = { code: 6, baseOffset: -1 } // NOT_LEADER_OR_FOLLOWER

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
  readonly #firstBytes = new Map<string, Buffer>()
  readonly #openBatches = new Map<string, number>()
  readonly #rejected = new Set<bigint>()
  #producers = 0n
  /** While true, nobody answers questions about the cluster. */
  isBlind = false
  lookUps = 0
  produced = 0

  constructor(time: VirtualTime, brokers: number) {
    this.time = time
    this.brokers = Array.from({ length: brokers }, (_, id) => new ModelBroker(this, id))
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
    const broker = this.brokers[nodeId]
    await this.time.sleep(this.time.between(1, 4), signal)
    if (broker === undefined || !broker.isUp) throw unavailable('connection refused')
    if (!broker.isFrozen) return new ModelConnection(this, broker)
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
    this.#producers += 1n
    return { producerId: this.#producers, producerEpoch: 0 }
  }

  findCoordinator(): Promise<number> {
    return Promise.reject(unavailable('it has no coordinator'))
  }

  coordinate(): Promise<CoordinatorConnection> {
    return Promise.reject(unavailable('it has no coordinator'))
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Whether a broker is down for good matters to nobody: the next replica leads what it led. */
  moveFrom(broker: number, share: number): void {
    for (const log of this.#logs.values())
      if (log.leader === broker) log.move((broker + 1) % this.brokers.length, share)
  }

  /** Checks a request when it is handed over. */
  noteSent(batches: readonly ProduceBatch[]): void {
    this.produced += 1
    const names = new Set(batches.map(({ topic, partition }) => `${topic}/${partition}`))
    if (names.size < batches.length) this.violations.push('a partition twice in one request')
    for (const batch of batches) {
      const { producerId, baseSequence } = readBatch(batch.bytes)
      const lane = `${producerId} ${batch.topic}/${batch.partition}`
      if (this.#rejected.has(producerId)) this.violations.push(`${lane}: sent after its caller heard of a failure`)
      const open = (this.#openBatches.get(lane) ?? 0) + 1
      this.#openBatches.set(lane, open)
      if (open > maxInFlight) this.violations.push(`${open} batches of ${lane} in flight`)
      const name = `${lane} ${baseSequence}`
      const first = this.#firstBytes.get(name)
      if (first === undefined) this.#firstBytes.set(name, Buffer.from(batch.bytes))
      else if (!first.equals(batch.bytes)) this.violations.push(`${name}: sent again with other bytes`)
    }
  }

  /** A caller heard that this producer failed, and may replay: nothing of it may be on the way any more. */
  noteRejected(producerId: bigint): void {
    this.#rejected.add(producerId)
    for (const [lane, open] of this.#openBatches) {
      if (open > 0 && lane.startsWith(`${producerId} `))
        this.violations.push(`${lane}: rejected with ${open} in flight`)
    }
  }

  noteSettled(sent: Sent): void {
    for (const [i, { topic, partition }] of sent.batches.entries()) {
      const lane = `${readBatch(sent.copies[i] ?? Buffer.alloc(0)).producerId} ${topic}/${partition}`
      this.#openBatches.set(lane, (this.#openBatches.get(lane) ?? 0) - 1)
    }
  }
}

export class ModelBroker {
  readonly id: number
  readonly #cluster: ModelCluster
  readonly #connections = new Set<ModelConnection>()
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

  add(connection: ModelConnection): void {
    this.#connections.add(connection)
  }

  remove(connection: ModelConnection): void {
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
      const { code, baseOffset } = isLeader ? log.append(copies[i] ?? Buffer.alloc(0)) : refused
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
class ModelConnection implements BrokerConnection {
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

  produce(batches: readonly ProduceBatch[]): Promise<ProduceAnswer> {
    const { time, violations } = this.#cluster
    if (!this.#isOpen) return Promise.reject(unavailable('the connection is closed'))
    this.#cluster.noteSent(batches)
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
    this.#cluster.noteSettled(sent)
    if (answer === undefined) {
      sent.settled.reject(unavailable('the connection is gone'))
      return
    }
    if (answer.throttleMs > 0) this.#broker.throttledUntilMs = this.#cluster.time.nowMs() + answer.throttleMs
    this.#broker.throttleMs = 0
    sent.settled.resolve(answer)
  }
}

function unavailable(message: string): Retryable {
  return new Retryable('SINK_UNAVAILABLE', message)
}
