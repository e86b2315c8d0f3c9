import { connect, createServer, type Server, type Socket } from 'node:net'
import { readable, rewriteApiVersions, rewriteCoordinator, rewriteMetadata, rewritten } from './answers.ts'

/** What a target of another make is like. Everything is optional: without, the proxy only stands between. */
export interface ProxyOptions {
  /** Addresses of the brokers behind it. */
  readonly brokers: readonly string[]
  /** API keys that it does not list; who asks all the same loses the connection, as with Kafka. */
  readonly refused?: readonly number[]
  /** Highest version by API key. */
  readonly versions?: Readonly<Record<number, number>>
  /** A longer request costs the connection. */
  readonly requestLimitBytes?: number
  /** Each connection is closed after so long. */
  readonly closeAfterMs?: number
}

/** What transactions and idempotence need: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit. */
export const transactionApis: readonly number[] = [22, 24, 25, 26, 28]

interface Question {
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
}

/** A TCP proxy that speaks enough of Kafka's framing to be taken for the whole cluster: clients stay on it. */
export class KafkaProxy implements AsyncDisposable {
  readonly #options: ProxyOptions
  readonly #servers = new Map<string, Promise<Server>>()
  readonly #links = new Set<Link>()
  /** Bootstrap addresses. */
  readonly brokers: string[] = []
  /** Requests that were passed on, by API key. */
  readonly passed = new Map<number, number>()
  /** Requests that cost their connection. */
  refusals = 0
  /** Answers to come of these API keys are lost, each with its connection. */
  readonly losing = new Map<number, number>()

  private constructor(options: ProxyOptions) {
    this.#options = options
  }

  static async open(options: ProxyOptions): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(options)
    for (const address of options.brokers) proxy.brokers.push(`127.0.0.1:${await proxy.standIn(address)}`)
    return proxy
  }

  /** The port that stands for a broker. */
  async standIn(address: string): Promise<number> {
    const opening = this.#servers.get(address) ?? this.#listen(address)
    this.#servers.set(address, opening)
    const listening = (await opening).address()
    if (listening === null || typeof listening === 'string') throw new Error('no port')
    return listening.port
  }

  /** Ends every connection, as a network does. */
  drop(): void {
    for (const link of this.#links) link.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.drop()
    for (const opening of this.#servers.values()) {
      const server = await opening
      await new Promise(resolve => server.close(resolve))
    }
  }

  /** undefined: refused. */
  highestOf(apiKey: number): number | undefined {
    if (this.#options.refused?.includes(apiKey)) return undefined
    const highest = this.#options.versions?.[apiKey] ?? Number.MAX_SAFE_INTEGER
    return Math.min(highest, readable[apiKey] ?? highest)
  }

  /** Whether the request may pass. */
  admits({ apiKey, version }: Question, sizeBytes: number): boolean {
    const highest = this.highestOf(apiKey) ?? -1
    // Every broker answers any version of ApiVersions.
    const isSpoken = version <= highest || apiKey === rewritten.apiVersions
    const isAdmitted = isSpoken && sizeBytes <= (this.#options.requestLimitBytes ?? Number.MAX_SAFE_INTEGER)
    if (isAdmitted) this.passed.set(apiKey, (this.passed.get(apiKey) ?? 0) + 1)
    else this.refusals += 1
    return isAdmitted
  }

  /** The answer as the client gets it; undefined: it is lost. */
  async answer({ apiKey, version }: Question, body: Buffer): Promise<Buffer | undefined> {
    const left = this.losing.get(apiKey) ?? 0
    if (left > 0) {
      this.losing.set(apiKey, left - 1)
      return undefined
    }
    const standIn = this.standIn.bind(this)
    if (apiKey === rewritten.metadata) return await rewriteMetadata(body, version, standIn)
    if (apiKey === rewritten.findCoordinator) return await rewriteCoordinator(body, version, standIn)
    if (apiKey === rewritten.apiVersions) return rewriteApiVersions(body, this.highestOf.bind(this))
    return body
  }

  #listen(address: string): Promise<Server> {
    const [host = '', port = ''] = address.split(':')
    const server = createServer(client => {
      const link = new Link(this, client, connect(Number(port), host), () => this.#links.delete(link))
      this.#links.add(link)
      const { closeAfterMs } = this.#options
      if (closeAfterMs !== undefined) setTimeout(() => link.end(), closeAfterMs).unref()
    })
    const { promise, resolve, reject } = Promise.withResolvers<Server>()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
    return promise
  }
}

/** One connection and the one behind it. */
class Link {
  readonly #proxy: KafkaProxy
  readonly #client: Socket
  readonly #broker: Socket
  readonly #onEnd: () => void
  readonly #asked: Question[] = []
  #answering: Promise<void> = Promise.resolve()

  constructor(proxy: KafkaProxy, client: Socket, broker: Socket, onEnd: () => void) {
    this.#proxy = proxy
    this.#client = client
    this.#broker = broker
    this.#onEnd = onEnd
    for (const socket of [client, broker]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.once('close', () => this.end())
    }
    onFrames(client, frame => this.#ask(frame))
    onFrames(broker, frame => {
      // Answers come in the order of the requests and leave in it.
      this.#answering = this.#answering.then(() => this.#answer(frame))
    })
  }

  end(): void {
    this.#client.destroy()
    this.#broker.destroy()
    this.#onEnd()
  }

  #ask(frame: Buffer): void {
    const question = {
      apiKey: frame.readInt16BE(4),
      version: frame.readInt16BE(6),
      correlationId: frame.readInt32BE(8),
    }
    const isUnreadable =
      question.apiKey === rewritten.apiVersions && question.version > readable[rewritten.apiVersions]!
    if (!this.#proxy.admits(question, frame.length - 4)) this.end()
    else if (isUnreadable) this.#refuseVersion(question)
    else {
      this.#asked.push(question)
      this.#broker.write(frame)
    }
  }

  /** UNSUPPORTED_VERSION in the form of version 0, as brokers do it (KIP-511). */
  #refuseVersion({ correlationId }: Question): void {
    const answer = Buffer.alloc(20)
    answer.writeInt32BE(answer.length - 4, 0)
    answer.writeInt32BE(correlationId, 4)
    answer.writeInt16BE(35, 8)
    answer.writeInt32BE(1, 10)
    answer.writeInt16BE(rewritten.apiVersions, 14)
    answer.writeInt16BE(readable[rewritten.apiVersions]!, 18)
    this.#client.write(answer)
  }

  async #answer(frame: Buffer): Promise<void> {
    const question = this.#asked.shift()
    if (question === undefined) return this.end()
    const body = await this.#proxy.answer(question, frame.subarray(8))
    if (body === undefined) return this.end()
    const head = Buffer.alloc(8)
    head.writeInt32BE(4 + body.length, 0)
    head.writeInt32BE(question.correlationId, 4)
    this.#client.write(Buffer.concat([head, body]))
  }
}

/** Calls `take` with each whole frame, its length in front. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0)
  socket.on('data', chunk => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const frame = rest.subarray(0, 4 + rest.readInt32BE(0))
      rest = rest.subarray(frame.length)
      take(frame)
    }
  })
}
