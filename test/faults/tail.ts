import { setTimeout as sleep } from 'node:timers/promises'
import { committed, nextOffset } from './committed.ts'
import { FetchConnection, type FetchedPartition, type FetchedRecord } from './fetch-connection.ts'

interface Place {
  readonly topic: string
  readonly partition: number
  leader: number
  /** The next offset to read. */
  offset: number
  /** As of the last answer: what stands there, and up to where no transaction is open. */
  highWatermark: number
  lastStableOffset: number
}

export interface TailOptions {
  readonly brokers: readonly string[]
  /** Those that do not exist yet are waited for. */
  readonly topics: readonly string[]
  readonly see: (topic: string, partition: number, record: FetchedRecord) => void
}

const metadataEveryMs = 1_000
const idleMs = 30

/**
 * Reads topics as they grow, read-committed, from their beginning, each partition in its order. It outlives brokers:
 * what fails is asked again, of the leader that the cluster then names.
 */
export class Tail implements AsyncDisposable {
  readonly #options: TailOptions
  readonly #stop = new AbortController()
  readonly #places = new Map<string, Place>()
  readonly #connections = new Map<number, FetchConnection>()
  #addresses = new Map<number, { host: string; port: number }>()
  readonly #done: Promise<void>
  #metadataDueMs = 0
  /** Rounds of questions that were answered by all leaders. */
  #rounds = 0
  #failure: unknown

  constructor(options: TailOptions) {
    this.#options = options
    this.#done = this.#run().catch(error => {
      this.#failure = error
    })
  }

  /** Waits until all that stood in the topics when it was called has been seen; records of open transactions too. */
  async caughtUp(limitMs: number): Promise<void> {
    const deadlineMs = Date.now() + limitMs
    const round = this.#rounds + 2 // The one under way was asked before.
    const isThere = () => this.#rounds >= round && [...this.#places.values()].every(p => p.offset >= p.highWatermark)
    while (!isThere()) {
      if (this.#failure !== undefined) throw this.#failure
      if (Date.now() > deadlineMs) throw new Error(`the reader did not reach the end: ${this.#where()}`)
      await sleep(idleMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const connection of this.#connections.values()) connection[Symbol.dispose]()
    await this.#done
  }

  #where(): string {
    const places = [...this.#places.values()].filter(p => p.offset < p.highWatermark)
    return places
      .map(p => `${p.topic}-${p.partition} at ${p.offset}, stable ${p.lastStableOffset}, high ${p.highWatermark}`)
      .join('; ')
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      if (Date.now() >= this.#metadataDueMs) await this.#learnLeaders()
      const byLeader = Map.groupBy(this.#places.values(), ({ leader }) => leader)
      const answered = await Promise.all([...byLeader].map(([leader, places]) => this.#readFrom(leader, places)))
      if (answered.length > 0 && answered.every(is => is)) this.#rounds += 1
      await sleep(idleMs)
    }
  }

  async #learnLeaders(): Promise<void> {
    for (const address of this.#options.brokers) {
      const [host = '', port] = address.split(':')
      try {
        using connection = await FetchConnection.open(host, Number(port))
        const { brokers, topicMetadata } = await connection.metadata(this.#options.topics)
        this.#addresses = new Map(brokers.map(({ nodeId, ...rest }) => [nodeId, rest]))
        for (const { topic, topicErrorCode, partitionMetadata } of topicMetadata) {
          if (topicErrorCode !== 0) continue
          for (const { partitionId, leader } of partitionMetadata) this.#lead(topic, partitionId, leader)
        }
        this.#metadataDueMs = Date.now() + metadataEveryMs
        return
      } catch {
        // Away for the moment; the next one may know.
      }
    }
  }

  #lead(topic: string, partition: number, leader: number): void {
    const name = `${topic}-${partition}`
    const place = this.#places.get(name)
    if (place !== undefined) place.leader = leader
    else this.#places.set(name, { topic, partition, leader, offset: 0, highWatermark: 0, lastStableOffset: 0 })
  }

  /** Whether the leader answered for all of its partitions. */
  async #readFrom(leader: number, places: readonly Place[]): Promise<boolean> {
    try {
      const connection = await this.#connection(leader)
      const { responses } = await connection.fetch(places)
      let whole = true
      for (const { topicName, partitions } of responses) {
        for (const fetched of partitions) whole = this.#take(topicName, fetched) && whole
      }
      return whole
    } catch {
      this.#connections.get(leader)?.[Symbol.dispose]()
      this.#connections.delete(leader)
      this.#metadataDueMs = 0
      return false
    }
  }

  #take(topic: string, fetched: FetchedPartition): boolean {
    const place = this.#places.get(`${topic}-${fetched.partition}`)!
    if (fetched.errorCode !== 0) {
      this.#metadataDueMs = 0 // Another leads it now, or soon.
      return false
    }
    for (const record of committed(fetched, place.offset)) this.#options.see(topic, fetched.partition, record)
    place.offset = nextOffset(fetched, place.offset)
    place.highWatermark = Number(fetched.highWatermark)
    place.lastStableOffset = Number(fetched.lastStableOffset)
    return true
  }

  async #connection(leader: number): Promise<FetchConnection> {
    const present = this.#connections.get(leader)
    if (present !== undefined && !present.closed) return present
    const address = this.#addresses.get(leader)
    if (address === undefined) throw new Error(`no address of broker ${leader}`)
    const connection = await FetchConnection.open(address.host, address.port)
    this.#connections.set(leader, connection)
    return connection
  }
}
