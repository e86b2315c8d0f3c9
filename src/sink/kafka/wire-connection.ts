import { isIP } from 'node:net'
import type { Connection, ConnectionOptions } from '@platformatic/kafka'
import { systemClock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { type Fault, Retryable } from '../../errors.ts'
import { advised } from './acl-advice.ts'
import { faultOf } from './classify.ts'
import { Frames } from './frames.ts'
import type { Admission } from './login/admission.ts'
import { Standing } from './login/standing.ts'
import { BrokerError } from './protocol/broker-error.ts'
import type { BrokerAddress } from './protocol/metadata.ts'
import type { Request } from './protocol/request.ts'
import type { KafkaSettings } from './settings.ts'

/** Waiting is bounded by the caller, who decides how many requests are outstanding. */
const unlimited = Number.MAX_SAFE_INTEGER
const keepAliveMs = 60_000

export interface ConnectionSettings {
  readonly kafka: KafkaSettings
  /** For TCP, TLS and SASL together. */
  readonly connectTimeoutMs: number
  /** For one answer, from the moment its request goes out. It ends the connection. */
  readonly requestTimeoutMs: number
}

/**
 * A connection of @platformatic/kafka, which does TCP and TLS, with logins (login/) and requests of our own on it
 * (frames.ts) and what the library leaves open: a first error ends it for good, closing is immediate, and requests wait
 * here, unencoded, while the socket has not taken the bytes of those before (else the socket would hold them all), while
 * the session is authenticated anew (the broker cuts a connection that asks anything else in between), and before it is
 * given up for one with newer certificates.
 */
export class WireConnection {
  /** Where it leads, and to whom: for messages. */
  readonly #name: string
  readonly #connection: Connection
  readonly #frames: Frames
  readonly #standing: Standing
  readonly #kafka: KafkaSettings
  readonly #admission: Admission | undefined
  #wasGreeted = false
  /** Requests that wait for their turn, in call order. */
  readonly #held: (() => void)[] = []
  readonly #rejects = new Set<(fault: Fault) => void>()
  #fault: Fault | undefined

  /** `address` as metadata or settings name it. An aborted `signal` rejects with its reason, all else with a Fault. */
  static async open(
    settings: ConnectionSettings,
    address: BrokerAddress,
    signal: AbortSignal,
  ): Promise<WireConnection> {
    signal.throwIfAborted()
    // Imported when first needed: it takes a third of a second, which no other command or client should pay.
    const library = await import('@platformatic/kafka')
    signal.throwIfAborted()
    const { host, port } = address
    const name = `${host}:${port}`
    const { admission } = settings.kafka
    const connection = new library.Connection(settings.kafka.clientId, connectionOptions(settings, host))
    connection.on('error', () => {}) // connect() rejects with it too; without a listener it would be thrown.
    try {
      const { connectTimeoutMs: limitMs } = settings
      const late = () => new Retryable('SINK_UNAVAILABLE', `Kafka: connect to ${name}: no login within ${limitMs} ms`)
      const opening = WireConnection.#logIn(connection, name, settings, address)
      return await withDeadline(opening, {
        limitMs,
        late,
        clock: systemClock,
        signal,
        onEnd: () => destroy(connection),
      })
    } catch (error) {
      destroy(connection)
      signal.throwIfAborted()
      const fault = faultOf(error, `connect to ${name}`)
      throw admission?.judge(fault) ?? fault
    }
  }

  static async #logIn(
    connection: Connection,
    name: string,
    settings: ConnectionSettings,
    { host, port }: BrokerAddress,
  ): Promise<WireConnection> {
    const { tls } = settings.kafka
    const replaced = tls?.replaced
    await connection.connect(host, port)
    connection.socket.setKeepAlive(true, keepAliveMs)
    const wire = new WireConnection(name, connection, settings)
    await wire.#standing.begin()
    if (tls !== undefined && replaced !== undefined) wire.#standing.giveUpAfter(replaced, tls.renewWithinMs)
    return wire
  }

  private constructor(name: string, connection: Connection, { kafka, requestTimeoutMs }: ConnectionSettings) {
    this.#name = name
    this.#connection = connection
    this.#kafka = kafka
    this.#admission = kafka.admission
    this.#frames = new Frames(connection.socket, kafka.clientId, requestTimeoutMs, error => this.#fail(error))
    this.#standing = new Standing({
      login: kafka.login,
      admission: kafka.admission,
      clock: systemClock,
      ask: request => this.#ask(request),
      onChange: () => this.#resume(),
      onFailure: error => this.#fail(error),
    })
    connection.on('error', error => this.#fail(error))
    connection.on('close', () => this.#fail(new Error('the connection was closed')))
    connection.socket.on('drain', () => this.#resume())
    if (!connection.isConnected()) this.#fail(new Error('the connection was closed'))
  }

  get closed(): boolean {
    return this.#fault !== undefined
  }

  /**
   * On the wire in call order. Rejects with a Fault: an error that the broker answers is this request's alone, any
   * other closes the connection and is every outstanding and later request's.
   */
  request<T>(request: Request<T>): Promise<T> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#rejects.add(reject)
    const settle = (error: unknown, answer?: T) => {
      if (!this.#rejects.has(reject)) return // Rejected before, with all others.
      if (error === null) {
        this.#greeted()
        resolve(answer as T)
      } else if (error instanceof BrokerError) reject(advised(faultOf(error, `ask ${this.#name}`), this.#kafka))
      else return this.#fail(error)
      this.#rejects.delete(reject)
      this.#standing.settled(this.#rejects.size - this.#held.length)
    }
    const send = () => this.#frames.send(request, settle)
    if (this.#held.length > 0 || this.#mustHold) this.#held.push(send)
    else send()
    return promise
  }

  /** Nothing is written any more; outstanding requests reject. Idempotent. */
  close(): void {
    this.#end(new Retryable('SINK_UNAVAILABLE', `Kafka: the connection to ${this.#name} was closed by us`))
  }

  get #mustHold(): boolean {
    return this.#standing.isHeld || this.#connection.socket.writableNeedDrain
  }

  /** At once, before everything that waits. Rejects with a BrokerError as it is, and with the fault of the connection. */
  #ask<T>(request: Request<T>): Promise<T> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#rejects.add(reject)
    this.#frames.send(request, (error: unknown, answer?: T) => {
      if (!this.#rejects.has(reject)) return
      if (error !== null && !(error instanceof BrokerError)) return this.#fail(error)
      this.#rejects.delete(reject)
      if (error === null) resolve(answer as T)
      else reject(error)
    })
    return promise
  }

  #resume(): void {
    this.#standing.settled(this.#rejects.size - this.#held.length)
    while (!this.closed && !this.#mustHold) {
      const send = this.#held.shift()
      if (send === undefined) return
      send()
    }
  }

  /** The first answer: only now is it certain that the broker takes our certificate, which TLS 1.3 does not wait for. */
  #greeted(): void {
    if (this.#wasGreeted) return
    this.#wasGreeted = true
    this.#admission?.accepted()
  }

  #fail(error: unknown): void {
    const fault = faultOf(error, `connection to ${this.#name}`)
    this.#end(this.#admission?.judge(fault) ?? fault)
  }

  #end(fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#held.length = 0
    this.#standing.end()
    destroy(this.#connection)
    for (const reject of this.#rejects) reject(fault)
    this.#rejects.clear()
  }
}

function connectionOptions({ kafka, connectTimeoutMs, requestTimeoutMs }: ConnectionSettings, host: string) {
  const options: ConnectionOptions = {
    connectTimeout: connectTimeoutMs,
    requestTimeout: requestTimeoutMs,
    maxInflights: unlimited,
    tlsServerName: isIP(host) === 0,
  }
  if (kafka.tls !== undefined) options.tls = { ...kafka.tls.current() }
  return options
}

/**
 * The socket first: `close` alone would write what is still buffered, and waits for a broker that may be frozen. Then
 * `close`, which ends the library's timers.
 */
function destroy(connection: Connection): void {
  connection.socket?.destroy()
  connection.close(() => {})
}
