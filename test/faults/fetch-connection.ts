import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'

/** A record as kafkajs decodes it. */
export interface FetchedRecord {
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer>>
  readonly isControlRecord: boolean
  readonly batchContext: {
    readonly producerId: string
    readonly inTransaction: boolean
    readonly firstOffset: string
    readonly lastOffsetDelta: number
  }
}

export interface FetchedPartition {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: string
  readonly lastStableOffset: string
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[]
  readonly messages: readonly FetchedRecord[]
}

export interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[]
}

export interface MetadataAnswer {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[]
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number
    readonly topic: string
    readonly partitionMetadata: readonly { readonly partitionId: number; readonly leader: number }[]
  }[]
}

interface KafkaJsProtocol {
  readonly request: (fields: object) => object
  readonly decode: (answer: Buffer) => Promise<unknown>
}

const require = createRequire(import.meta.url)
const frame: (parts: { correlationId: number; clientId: string; request: object }) => Promise<{ buffer: Buffer }> =
  require('kafkajs/src/protocol/request')

function protocol(name: string): KafkaJsProtocol {
  const decode = require(`kafkajs/src/protocol/requests/${name}/response`).decode
  return { request: require(`kafkajs/src/protocol/requests/${name}/request`), decode }
}

const fetchProtocol = protocol('fetch/v4')
const metadataProtocol = protocol('metadata/v1')
const readCommitted = 1
const timeoutMs = 4_000
/** A broker holds an empty answer back for this long. */
const maxWaitTime = 100
const partitionLimitBytes = 2 << 20

/**
 * Asks one broker with kafkajs's encoding and decoding, one question at a time, on a connection of our own: kafkajs's
 * consumer would need its group's coordinator, and be away for half a minute after a broker's death.
 */
export class FetchConnection implements Disposable {
  readonly #socket: Socket
  #chunks: Buffer[] = []
  #settle: PromiseWithResolvers<Buffer> | undefined
  #correlationId = 0
  closed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#receive(chunk))
    for (const name of ['error', 'close'] as const) socket.on(name, () => this.#end(new Error('connection lost')))
  }

  static async open(host: string, port: number): Promise<FetchConnection> {
    const socket = connect(port, host)
    const connection = new FetchConnection(socket)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    socket.once('connect', resolve)
    socket.once('error', reject)
    const timer = setTimeout(() => reject(new Error('no connection')), timeoutMs)
    try {
      await promise
      return connection
    } catch (error) {
      connection[Symbol.dispose]()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  async fetch(offsets: readonly { topic: string; partition: number; offset: number }[]): Promise<FetchAnswer> {
    const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, places]) => ({
      topic,
      partitions: places.map(({ partition, offset }) => ({
        partition,
        fetchOffset: String(offset),
        maxBytes: partitionLimitBytes,
      })),
    }))
    const limits = { replicaId: -1, maxWaitTime, minBytes: 1, maxBytes: 16 << 20, isolationLevel: readCommitted }
    return (await this.#ask(fetchProtocol, { ...limits, topics })) as FetchAnswer
  }

  async metadata(topics: readonly string[]): Promise<MetadataAnswer> {
    return (await this.#ask(metadataProtocol, { topics })) as MetadataAnswer
  }

  async #ask({ request, decode }: KafkaJsProtocol, fields: object): Promise<unknown> {
    if (this.closed || this.#settle !== undefined) throw new Error('the connection is closed or busy')
    const correlationId = ++this.#correlationId
    const { buffer } = await frame({ correlationId, clientId: 'fault-test-reader', request: request(fields) })
    const settle = Promise.withResolvers<Buffer>()
    this.#settle = settle
    const timer = setTimeout(() => this.#end(new Error('no answer')), timeoutMs)
    this.#socket.write(buffer)
    try {
      return await decode(await settle.promise)
    } finally {
      clearTimeout(timer)
      this.#settle = undefined
    }
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk)
    const bytes = this.#chunks.reduce((sum, { length }) => sum + length, 0)
    const head = this.#chunks[0]!.length < 4 ? Buffer.concat(this.#chunks) : this.#chunks[0]!
    if (head.length < 4 || bytes < 4 + head.readInt32BE(0)) return
    const answer = Buffer.concat(this.#chunks)
    this.#chunks = []
    this.#settle?.resolve(answer.subarray(8)) // Behind its length and correlation id: one question at a time.
  }

  #end(error: Error): void {
    this.closed = true
    this.#settle?.reject(error)
    this.#socket.destroy()
  }

  [Symbol.dispose](): void {
    this.#end(new Error('closed'))
  }
}
