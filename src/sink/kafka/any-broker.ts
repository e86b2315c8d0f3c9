import { untilAborted } from '../../deadline.ts'
import { Configuration, Retryable } from '../../errors.ts'
import type { BrokerAddress } from './protocol/metadata.ts'
import type { Request } from './protocol/request.ts'
import type { WireConnection } from './wire-connection.ts'

type Open = (address: BrokerAddress, signal: AbortSignal) => Promise<WireConnection>

/** `host:port` or `[IPv6]:port`. Throws Configuration CONFIG_INVALID. */
export function parseAddress(text: string): BrokerAddress {
  const [, host, port] = /^\[?([^[\]]+?)\]?:(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new Configuration('CONFIG_INVALID', `"${text}" is not an address of a Kafka broker, host:port`)
  }
  return { host, port: Number(port) }
}

/**
 * Asks whichever broker answers: the bootstrap addresses in turn, then those that metadata named. One connection is
 * kept for all questions; when it fails, or no answer comes, the next address is tried, each at most once a question.
 */
export class AnyBroker implements Disposable {
  readonly #bootstrap: readonly BrokerAddress[]
  readonly #open: Open
  readonly #disposing = new AbortController()
  #addresses: readonly BrokerAddress[]
  #next = 0
  #connection: Promise<WireConnection> | undefined

  constructor(bootstrap: readonly string[], open: Open) {
    this.#bootstrap = bootstrap.map(parseAddress)
    this.#addresses = this.#bootstrap
    this.#open = open
  }

  /** More addresses to try, after the bootstrap addresses, in place of those named before. */
  learn(brokers: Iterable<BrokerAddress>): void {
    const at = this.#addresses[this.#next]
    const isNew = (broker: BrokerAddress) => !this.#bootstrap.some(known => isSame(known, broker))
    this.#addresses = [...this.#bootstrap, ...[...brokers].filter(isNew)]
    this.#next = Math.max(
      0,
      this.#addresses.findIndex(address => at !== undefined && isSame(address, at)),
    )
  }

  /**
   * Throws the last address's Retryable when none answers; anything that another broker would not mend, such as a
   * wrong password, at once; the signal's reason when it aborts.
   */
  async ask<T>(request: Request<T>, signal: AbortSignal): Promise<T> {
    // Once more than there are addresses: the kept connection may have died while nobody asked.
    for (let left = this.#addresses.length; ; left -= 1) {
      signal.throwIfAborted()
      const opening = this.#current()
      try {
        return await untilAborted(this.#askOver(opening, request), signal)
      } catch (error) {
        signal.throwIfAborted()
        const gone = await opening.then(
          connection => connection.closed,
          () => true,
        )
        if (gone) this.#leave(opening)
        if (!gone || !(error instanceof Retryable) || left === 0 || this.#disposing.signal.aborted) throw error
      }
    }
  }

  /** Ends the connection; questions under way reject. */
  [Symbol.dispose](): void {
    this.#disposing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    this.#connection?.then(
      connection => connection.close(),
      () => {},
    )
  }

  async #askOver<T>(opening: Promise<WireConnection>, request: Request<T>): Promise<T> {
    const connection = await opening
    return connection.request(request)
  }

  /** The kept connection or a new one, shared by all who ask; so it is not for one of them to abort. */
  #current(): Promise<WireConnection> {
    this.#connection ??= this.#open(this.#addresses[this.#next]!, this.#disposing.signal)
    return this.#connection
  }

  /** Goes on to the next address, once for all who asked over `opening`. */
  #leave(opening: Promise<WireConnection>): void {
    if (this.#connection !== opening) return
    this.#connection = undefined
    this.#next = (this.#next + 1) % this.#addresses.length
  }
}

function isSame(a: BrokerAddress, b: BrokerAddress): boolean {
  return a.host === b.host && a.port === b.port
}
