import { connect, createServer, type Server } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { readable, rewriteApiVersions, rewriteCoordinator, rewriteMetadata, rewritten } from './answers.ts'
import { type Cluster, type Doorkeeper, Link, type Question } from './link.ts'
import {
  errorOf,
  type Part,
  type ProduceRules,
  readProduce,
  refuseProduce,
  withoutHeaders,
  writeProduce,
} from './produce.ts'
import { Rate } from './rate.ts'

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
  /** What it does with records. */
  readonly produce?: ProduceRules
  /** InitProducerId is listed, and answered with this error. */
  readonly identityError?: number
  /** Makes what stands before the brokers on each connection, and leads the login itself. */
  readonly keeper?: () => Doorkeeper
}

/** What transactions and idempotence need: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit. */
export const transactionApis: readonly number[] = [22, 24, 25, 26, 28]

const produceApi = { apiKey: 0, highest: 8 }
const initProducerId = { apiKey: 22, highest: 1 }
/** THROTTLING_QUOTA_EXCEEDED and POLICY_VIOLATION. */
const [throttled, policyViolation] = [89, 44]

/** A TCP proxy that speaks enough of Kafka's framing to be taken for the whole cluster: clients stay on it. */
export class KafkaProxy implements Cluster, AsyncDisposable {
  readonly #options: ProxyOptions
  readonly #servers = new Map<string, Promise<Server>>()
  readonly #links = new Set<Link>()
  /** Bootstrap addresses. */
  readonly brokers: string[] = []
  /** Requests that were passed on, by API key. */
  readonly passed = new Map<number, number>()
  /** Requests that cost their connection. */
  refusals = 0
  /** Produce requests that were answered with an error, or had to wait, or lost their headers. */
  readonly met = { refused: 0, throttled: 0, stripped: 0 }
  readonly #rate: Rate | undefined
  /** Answers to come of these API keys are lost, each with its connection. */
  readonly losing = new Map<number, number>()

  private constructor(options: ProxyOptions) {
    this.#options = options
    const { partitionBytesPerSecond } = options.produce ?? {}
    if (partitionBytesPerSecond !== undefined) this.#rate = new Rate(partitionBytesPerSecond)
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
    if (apiKey === produceApi.apiKey && this.#options.produce) return Math.min(highest, produceApi.highest)
    if (apiKey === initProducerId.apiKey && this.#options.identityError)
      return Math.min(highest, initProducerId.highest)
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

  /**
   * What goes on to the broker, or what the target answers itself. Waits where the target would; rejects when the
   * connection ends meanwhile: then nothing of the request is taken.
   */
  async examine(
    question: Question,
    frame: Buffer,
    ended: AbortSignal,
  ): Promise<{ readonly frame: Buffer } | { readonly body: Buffer }> {
    const { produce, identityError } = this.#options
    if (question.apiKey === initProducerId.apiKey && identityError !== undefined)
      return { body: noIdentity(identityError) }
    if (question.apiKey !== produceApi.apiKey || produce === undefined) return { frame }
    const { head, parts } = readProduce(frame)
    const code = parts.map(part => errorOf(part, produce)).find(error => error !== undefined)
    const refusal = code ?? (await this.#throttle(question, parts, produce, ended))
    if (refusal !== undefined) {
      this.met.refused += 1
      return { body: refuseProduce(parts, refusal, question.version) }
    }
    if (produce.headers !== 'strip') return { frame }
    this.met.stripped += 1
    return { frame: writeProduce({ head, parts: parts.map(withoutHeaders) }) }
  }

  /** Waits until the partitions take what they are given; or the error that says they do not. */
  async #throttle(
    question: Question,
    parts: readonly Part[],
    { beyond, throttleLimitMs = Number.POSITIVE_INFINITY }: ProduceRules,
    ended: AbortSignal,
  ): Promise<number | undefined> {
    let waitedMs = 0
    for (const { topic, partition, bytes } of parts) {
      const take = () => this.#rate?.take(`${topic}-${partition}`, bytes.length, Date.now()) ?? 0
      for (let waitMs = take(); waitMs > 0; waitMs = take()) {
        if (beyond === 'error') return throttled
        if (waitedMs + waitMs > throttleLimitMs) return policyViolation
        waitedMs += waitMs
        await sleep(waitMs, undefined, { signal: ended })
      }
    }
    if (waitedMs > 0) this.met.throttled += 1
    question.throttleMs = waitedMs
    return undefined
  }

  /** The answer as the client gets it; undefined: it is lost. */
  async answer(question: Question, body: Buffer): Promise<Buffer | undefined> {
    const { apiKey, version } = question
    const left = this.losing.get(apiKey) ?? 0
    if (left > 0) {
      this.losing.set(apiKey, left - 1)
      return undefined
    }
    const standIn = this.standIn.bind(this)
    if (apiKey === rewritten.metadata) return await rewriteMetadata(body, version, standIn)
    if (apiKey === rewritten.findCoordinator) return await rewriteCoordinator(body, version, standIn)
    if (apiKey === rewritten.apiVersions) return rewriteApiVersions(body, this.highestOf.bind(this))
    if (question.throttleMs) body.writeInt32BE(question.throttleMs, body.length - 4) // throttle_time_ms of Produce
    return body
  }

  #listen(address: string): Promise<Server> {
    const [host = '', port = ''] = address.split(':')
    const server = createServer(client => {
      const { closeAfterMs, keeper } = this.#options
      const onEnd = () => this.#links.delete(link)
      const link = new Link({ cluster: this, client, broker: connect(Number(port), host), keeper: keeper?.(), onEnd })
      this.#links.add(link)
      if (closeAfterMs !== undefined) setTimeout(() => link.end(), closeAfterMs).unref()
    })
    const { promise, resolve, reject } = Promise.withResolvers<Server>()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve(server))
    return promise
  }
}

/** InitProducerId, versions 0 and 1: throttle_time_ms error_code producer_id producer_epoch. */
function noIdentity(errorCode: number): Buffer {
  const body = Buffer.alloc(16)
  body.writeInt16BE(errorCode, 4)
  body.writeBigInt64BE(-1n, 6)
  body.writeInt16BE(-1, 14)
  return body
}
