import type { Socket } from 'node:net'
import { Configuration } from '../../errors.ts'
import { UnderWay } from '../../under-way.ts'
import { MalformedAnswer } from './protocol/answer-reader.ts'
import type { Request } from './protocol/request.ts'

const lengthBytes = 4
const correlationBytes = 4
/** Ours are from here on; those of the library, which share the connection, count up from the bottom. */
const firstCorrelationId = 2 ** 30
const lastCorrelationId = 2 ** 31 - 1
/** Metadata of a large cluster is some megabytes. What claims to be more is no answer of Kafka. */
const frameLimitBytes = 256 << 20

/** Called once, with the answer or why there is none. */
export type Settle<T> = (error: unknown, answer?: T) => void

interface Outstanding {
  readonly correlationId: number
  readonly take: (answer: Buffer) => void
}

/**
 * Requests and answers of Kafka's protocol on a socket that somebody else has connected and logged in on. Record
 * batches go to the socket as they lie in memory: @platformatic/kafka's own `send` would join each request into a
 * buffer of its own first, megabytes at a time, at a third of all that producing costs.
 *
 * An answer to a request that is not ours goes to the listeners that were there before us: logins are renewed on the
 * same connection. Source of the framing: https://kafka.apache.org/protocol#protocol_messages (request header v1).
 */
export class Frames {
  readonly #socket: Socket
  readonly #clientId: Buffer
  readonly #others: readonly ((chunk: Buffer) => void)[]
  readonly #onBroken: (error: Error) => void
  readonly #outstanding = new UnderWay<Outstanding>()
  #correlationId = firstCorrelationId
  /** The beginning of an answer whose end is still to come. */
  #rest: Buffer | undefined

  /** `onBroken`: what arrives is no answer, or none arrives within `timeoutMs`; the connection is of no more use. */
  constructor(socket: Socket, clientId: string, timeoutMs: number, onBroken: (error: Error) => void) {
    this.#socket = socket
    this.#clientId = Buffer.from(clientId)
    this.#onBroken = onBroken
    this.#others = socket.listeners('data').map(listener => chunk => Reflect.apply(listener, socket, [chunk]))
    socket.removeAllListeners('data')
    socket.on('data', chunk => this.#receive(chunk))
    // Answers come in the order of the requests, so none is late while any byte moves.
    socket.setTimeout(timeoutMs)
    socket.on('timeout', () => {
      if (this.#outstanding.size > 0) onBroken(new Error(`no answer within ${timeoutMs} ms`))
    })
  }

  /** Hands the request to the socket; its parts must not change until the answer is there. */
  send<T>(request: Request<T>, settle: Settle<T>): void {
    const correlationId = this.#correlationId
    this.#correlationId = correlationId === lastCorrelationId ? firstCorrelationId : correlationId + 1
    const parts = request.encode()
    this.#outstanding.begin({ correlationId, take: answer => take(request, answer, settle) })
    this.#socket.cork()
    this.#socket.write(this.#head(request, correlationId, parts))
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
  }

  #head({ apiKey, apiVersion }: Request<unknown>, correlationId: number, parts: readonly Buffer[]): Buffer {
    const head = Buffer.allocUnsafe(lengthBytes + 10 + this.#clientId.length)
    const bodyBytes = parts.reduce((sum, part) => sum + part.length, 0)
    let at = head.writeInt32BE(head.length - lengthBytes + bodyBytes, 0)
    at = head.writeInt16BE(apiKey, at)
    at = head.writeInt16BE(apiVersion, at)
    at = head.writeInt32BE(correlationId, at)
    at = head.writeInt16BE(this.#clientId.length, at)
    this.#clientId.copy(head, at)
    return head
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= lengthBytes) {
      const length = bytes.readInt32BE(at)
      if (length < correlationBytes || length > frameLimitBytes) {
        this.#onBroken(notKafka(bytes, at, length))
        return
      }
      const end = at + lengthBytes + length
      if (end > bytes.length) break
      this.#dispatch(bytes.subarray(at, end))
      at = end
    }
    this.#rest = at < bytes.length ? bytes.subarray(at) : undefined
  }

  #dispatch(frame: Buffer): void {
    const correlationId = frame.readInt32BE(lengthBytes)
    const outstanding = this.#asked(correlationId)
    if (outstanding !== undefined) {
      this.#outstanding.end(outstanding)
      outstanding.take(frame.subarray(lengthBytes + correlationBytes))
    } else if (correlationId < firstCorrelationId) for (const other of this.#others) other(frame)
    else this.#onBroken(new MalformedAnswer('an answer to no request'))
  }

  /** Answers come in the order of the requests, where a broker keeps to the protocol. */
  #asked(correlationId: number): Outstanding | undefined {
    const { first } = this.#outstanding
    if (first?.correlationId === correlationId) return first
    return [...this.#outstanding].find(one => one.correlationId === correlationId)
  }
}

/** Record type and version of a TLS alert, which a port that speaks TLS answers to plain text. */
const tlsAlert = 0x1503

function notKafka(bytes: Buffer, at: number, length: number): Error {
  if (bytes.readUInt16BE(at) !== tlsAlert) return new MalformedAnswer(`an answer of ${length} bytes`)
  return new Configuration('SINK_AUTH_FAILED', 'Kafka: the broker speaks TLS on this port, and sink.tls is not set')
}

function take<T>(request: Request<T>, answer: Buffer, settle: Settle<T>): void {
  let parsed: T
  try {
    parsed = request.parse(answer)
  } catch (error) {
    settle(error)
    return
  }
  settle(null, parsed)
}
