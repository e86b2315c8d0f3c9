import { untilAborted } from '../../../deadline.ts'
import type { BrokerAddress } from '../protocol/metadata.ts'
import type { Request } from '../protocol/request.ts'
import type { WireConnection } from '../wire-connection.ts'

type Open = (address: BrokerAddress, signal: AbortSignal) => Promise<WireConnection>

/**
 * One connection to whichever broker is meant at present. A broker answers the requests of a connection one after the
 * other, so what may have to wait long has a line of its own.
 */
export class Line implements Disposable {
  readonly #open: Open
  #address: BrokerAddress | undefined
  #opening: Promise<WireConnection> | undefined
  /** What `#opening` came to. */
  #connection: WireConnection | undefined
  #closing = new AbortController()

  constructor(open: Open) {
    this.#open = open
  }

  /** Rejects as WireConnection does. When `signal` aborts, the connection is closed: its answer would block the next. */
  async ask<T>(address: BrokerAddress, request: Request<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    this.leadTo(address)
    const opening = this.#current(address)
    try {
      return await untilAborted(
        opening.then(connection => connection.request(request)),
        signal,
      )
    } catch (error) {
      if (signal.aborted) this.#close()
      else if (await isGone(opening)) this.#forget(opening)
      throw error
    }
  }

  /** Closes a connection to any other broker: who waits there waits in vain. */
  leadTo(address: BrokerAddress): void {
    const { host, port } = this.#address ?? address
    if (host !== address.host || port !== address.port) this.#close()
  }

  [Symbol.dispose](): void {
    this.#close()
  }

  #current(address: BrokerAddress): Promise<WireConnection> {
    // A broker closes what was idle for long: minutes pass between two joins.
    if (this.#connection?.closed) this.#close()
    if (this.#opening === undefined) {
      this.#address = address
      const opening = this.#open(address, this.#closing.signal)
      this.#opening = opening
      opening.then(
        connection => {
          if (this.#opening === opening) this.#connection = connection
        },
        () => {}, // Who asked hears of it.
      )
    }
    return this.#opening
  }

  #forget(opening: Promise<WireConnection>): void {
    if (this.#opening === opening) this.#close()
  }

  #close(): void {
    this.#closing.abort()
    this.#closing = new AbortController()
    this.#opening?.then(
      connection => connection.close(),
      () => {},
    )
    this.#opening = undefined
    this.#connection = undefined
    this.#address = undefined
  }
}

async function isGone(opening: Promise<WireConnection>): Promise<boolean> {
  return await opening.then(
    connection => connection.closed,
    () => true,
  )
}
