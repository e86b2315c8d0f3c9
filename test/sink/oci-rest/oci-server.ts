import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Fate, type Stored, StreamLog } from './stream-log.ts'
import { signatureFault } from './verify.ts'

/** What happens to a request of PutMessages; undefined: it is carried out. */
export type RequestFate =
  | { readonly kind: 'throttled'; readonly retryAfter?: string }
  | { readonly kind: 'reset'; readonly isStored: boolean }
  | { readonly kind: 'error'; readonly status: number; readonly code?: string; readonly isStored: boolean }
  | undefined

/** How the service behaves. Asked for each request and each of its messages, in order. */
export interface Behaviour {
  request?(stream: string, messages: number): RequestFate | Promise<RequestFate>
  message?(key: string, isAnswered: boolean): Fate
  /** Whether a read is refused with 429, or answers nothing though there is more. */
  read?(): 'throttled' | 'empty' | undefined
}

interface Stream {
  readonly id: string
  readonly name: string
  readonly streamPoolId: string
  readonly log: StreamLog
  /** CREATING until it has been listed so often. */
  creating: number
}

interface Reply {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

const basePath = '/20180418'
const refuse = (status: number, code: string, message = code, headers = {}): Reply => {
  return { status, body: { code, message }, headers }
}

/**
 * OCI Streaming's REST API as far as it is published (https://docs.oracle.com/en-us/iaas/api/#/en/streaming/20180418/),
 * with state: streams, partitions, offsets, cursors. It refuses what is not signed with the key of its user.
 */
export class OciServer implements AsyncDisposable {
  readonly pool = 'ocid1.streampool.oc1..test'
  readonly keyId = 'ocid1.tenancy/ocid1.user/aa:bb'
  readonly privateKeyPem: string
  readonly requests: string[] = []
  behaviour: Behaviour = {}
  /** Signatures of this key id only. */
  acceptedKeyId = this.keyId
  /** PutMessages that are being answered, and the most at once. */
  atOnce = 0
  mostAtOnce = 0
  readonly #key: KeyObject
  readonly #streams: Stream[] = []
  readonly #server: Server

  private constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    this.privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    this.#key = publicKey
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  static async open(): Promise<OciServer> {
    const server = new OciServer()
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    return server
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  create(name: string, partitions: number): StreamLog {
    const id = `ocid1.stream.oc1..${createHash('sha256').update(name).digest('hex').slice(0, 20)}`
    const log = new StreamLog(name, partitions)
    this.#streams.push({ id, name, streamPoolId: this.pool, log, creating: 0 })
    return log
  }

  /** All messages of a stream, partition by partition. */
  stored(name: string): readonly (readonly Stored[])[] {
    return this.#streams.find(stream => stream.name === name)?.log.partitions ?? []
  }

  partitionsOf(name: string): number | undefined {
    return this.#streams.find(stream => stream.name === name)?.log.partitions.length
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = request.method === 'POST' ? Buffer.concat(chunks) : undefined
    const { method = '', url: path = '', headers } = request
    const keyOf = (keyId: string) => (keyId === this.acceptedKeyId ? this.#key : undefined)
    const fault = signatureFault({ method, path, headers, body }, keyOf, Date.now())
    const url = new URL(path, this.endpoint)
    this.requests.push(`${method} ${url.pathname.slice(basePath.length)}`)
    const reply = fault ? refuse(401, 'NotAuthenticated', fault) : await this.#route(method, url, body)
    if (reply === undefined) {
      request.socket.destroy()
      return
    }
    response.writeHead(reply.status, {
      'opc-request-id': 'request-1',
      'content-type': 'application/json',
      ...reply.headers,
    })
    response.end(JSON.stringify(reply.body))
  }

  /** undefined: the connection breaks. */
  async #route(method: string, url: URL, body: Buffer | undefined): Promise<Reply | undefined> {
    if (!url.pathname.startsWith(`${basePath}/streams`)) return refuse(404, 'NotAuthorizedOrNotFound')
    const [, id, what] = url.pathname.slice(basePath.length + 1).split('/')
    if (id === undefined) return method === 'GET' ? this.#list(url.searchParams) : this.#createStream(body)
    const stream = this.#streams.find(each => each.id === decodeURIComponent(id))
    if (stream === undefined) return refuse(404, 'NotAuthorizedOrNotFound', 'Authorization failed or not found')
    if (what === 'messages' && method === 'POST') return await this.#put(stream, body)
    if (what === 'cursors') return this.#cursor(stream, body)
    if (what === 'messages') return this.#get(stream, url.searchParams)
    return refuse(404, 'NotFound')
  }

  #list(query: URLSearchParams): Reply {
    if (query.get('streamPoolId') !== this.pool) return refuse(404, 'NotAuthorizedOrNotFound', 'Unknown pool')
    const name = query.get('name')
    const found = this.#streams.filter(stream => name === null || stream.name === name)
    return { status: 200, body: found.slice(0, Number(query.get('limit') ?? 10)).map(stream => this.#summary(stream)) }
  }

  #summary(stream: Stream): unknown {
    const { id, name, streamPoolId, log } = stream
    const lifecycleState = stream.creating > 0 ? 'CREATING' : 'ACTIVE'
    stream.creating = Math.max(0, stream.creating - 1)
    const partitions = log.partitions.length
    return { id, name, streamPoolId, partitions, lifecycleState, messagesEndpoint: this.endpoint, compartmentId: 'c' }
  }

  #createStream(body: Buffer | undefined): Reply {
    const { name, partitions, retentionInHours } = JSON.parse(String(body)) as Record<string, unknown>
    if (this.#streams.some(stream => stream.name === name)) return refuse(409, 'StreamAlreadyExists')
    if (!(Number(retentionInHours) >= 24 && Number(retentionInHours) <= 168)) return refuse(400, 'InvalidParameter')
    this.create(String(name), Number(partitions))
    const stream = this.#streams.at(-1)!
    stream.creating = 2
    return { status: 200, body: this.#summary(stream) }
  }

  async #put(stream: Stream, body: Buffer | undefined): Promise<Reply | undefined> {
    this.atOnce += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce)
    try {
      const { messages } = JSON.parse(String(body)) as { messages: { key: string | null; value: string }[] }
      const fate = await this.behaviour.request?.(stream.name, messages.length)
      const problem = stream.log.problemOf(messages)
      if (problem) return refuse(400, 'InvalidParameter', problem)
      const isStored = fate === undefined || (fate.kind !== 'throttled' && fate.isStored)
      const refused = this.behaviour.message?.bind(this.behaviour)
      const entries = isStored ? stream.log.append(messages, key => refused?.(key, fate === undefined), Date.now()) : []
      if (fate?.kind === 'reset') return undefined
      if (fate?.kind === 'error') return refuse(fate.status, fate.code ?? 'InternalServerError')
      if (fate?.kind === 'throttled') {
        const headers = fate.retryAfter === undefined ? {} : { 'retry-after': fate.retryAfter }
        return refuse(429, 'TooManyRequests', 'slow down', headers)
      }
      return { status: 200, body: { failures: entries.filter(({ error }) => error !== null).length, entries } }
    } finally {
      this.atOnce -= 1
    }
  }

  #cursor({ log }: Stream, body: Buffer | undefined): Reply {
    const { partition, type, time, offset } = JSON.parse(String(body)) as Record<string, string>
    const at = log.offsetOf(Number(partition), String(type), time, offset)
    if (at === undefined) return refuse(400, 'InvalidParameter')
    return { status: 200, body: { value: Buffer.from(`${partition}:${at}`).toString('base64') } }
  }

  #get({ log, name }: Stream, query: URLSearchParams): Reply {
    const cursor = query.get('cursor') ?? ''
    const hindrance = this.behaviour.read?.()
    if (hindrance === 'throttled') return refuse(429, 'TooManyRequests', 'slow down', { 'retry-after': '0' })
    if (hindrance === 'empty') return { status: 200, body: [], headers: { 'opc-next-cursor': cursor } }
    const [partition, from] = Buffer.from(cursor, 'base64').toString().split(':').map(Number)
    if (partition === undefined || from === undefined) return refuse(400, 'InvalidCursor')
    const found = log.partitions[partition]!.slice(from, from + Math.min(7, Number(query.get('limit') ?? 7)))
    const next = Buffer.from(`${partition}:${from + found.length}`).toString('base64')
    const body = found.map(({ key, value, offset, timestampMs }) => {
      const timestamp = new Date(timestampMs).toISOString()
      return { stream: name, partition: String(partition), key, value, offset, timestamp }
    })
    return { status: 200, body, headers: { 'opc-next-cursor': next } }
  }
}
