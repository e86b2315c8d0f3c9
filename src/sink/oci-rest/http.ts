import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Clock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'

/** The largest answer is one of GetMessages: a few MiB; more is no answer of the service. */
const answerLimitBytes = 16 << 20
/** Longer than a request takes, shorter than what load balancers usually allow an idle connection. */
const idleLimitMs = 20_000

export interface Exchange {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** There was no whole answer. */
export class NoAnswer extends Error {
  /** false: nothing of the request can have had an effect. true: the service may have carried it out. */
  readonly mayHaveArrived: boolean

  constructor(message: string, mayHaveArrived: boolean, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NoAnswer'
    this.mayHaveArrived = mayHaveArrived
  }
}

/** HTTP connections to OCI, kept between requests. Everything is bounded: connections, answers, time. */
export class Http implements Disposable {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent }

  /** `limitMs`: for one request, until its answer is whole. `connections`: at most, per host. */
  constructor(options: { readonly clock: Clock; readonly limitMs: number; readonly connections: number }) {
    this.#clock = options.clock
    this.#limitMs = options.limitMs
    const keep = { keepAlive: true, maxSockets: options.connections, timeout: idleLimitMs }
    this.#agents = { http: new HttpAgent(keep), https: new HttpsAgent(keep) }
  }

  /** The answer, whatever its status. Rejects with NoAnswer, or the reason of `signal`. */
  async exchange({ method, url, headers, body }: Exchange, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted()
    const isPlain = url.protocol === 'http:'
    const options = { method, headers, agent: isPlain ? this.#agents.http : this.#agents.https }
    const request = isPlain ? httpRequest(url, options) : httpsRequest(url, options)
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    let isConnected = false
    request.on('socket', socket => {
      isConnected = !socket.connecting // One that was kept.
      if (isConnected) return
      socket.once(isPlain ? 'connect' : 'secureConnect', () => {
        isConnected = true
      })
    })
    const fail = (error: Error): void =>
      reject(new NoAnswer(`${url.host}: ${error.message}`, isConnected, { cause: error }))
    request.on('error', fail)
    request.on('response', response => {
      readAll(response).then(
        bytes => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: bytes }),
        (error: Error) => {
          request.destroy()
          fail(error)
        },
      )
    })
    request.end(body)
    return await withDeadline(promise, {
      limitMs: this.#limitMs,
      late: () => new NoAnswer(`${url.host} did not answer within ${this.#limitMs} ms`, isConnected),
      clock: this.#clock,
      signal,
      onEnd: () => request.destroy(),
    })
  }

  /** Cuts every connection. */
  [Symbol.dispose](): void {
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    const part = chunk as Buffer
    bytes += part.length
    if (bytes > answerLimitBytes) throw new Error(`an answer of more than ${answerLimitBytes} bytes`)
    chunks.push(part)
  }
  return Buffer.concat(chunks, bytes)
}
