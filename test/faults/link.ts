import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net'
import { type Frames, type ProtocolName, RequestFrames } from './frames.ts'

/** What a link does with the bytes of both directions. */
export type LinkState =
  /** Passes them on. */
  | { readonly kind: 'open' }
  /** Passes them on later. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Passes them on at a rate. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** Holds them until the link is healed, as a network does that loses packets. */
  | { readonly kind: 'held' }
  /** Swallows them: the other side has forgotten the connection, and nobody says so. What was swallowed is gone for good. */
  | { readonly kind: 'half-open' }
  /** Ends all connections and refuses new ones. */
  | { readonly kind: 'cut' }

/** Sees the requests of one connection go by, and may hold one back, or its answer. */
export type Watcher = (frames: Frames) => 'pass' | 'hold'

export interface LinkOptions {
  /** Of the server; default: Kafka's. */
  readonly protocol?: ProtocolName
  /**
   * Whether a connection whose client is gone stays open to the server until everything that it was asked is carried
   * out and answered. Default: it ends at once.
   */
  readonly lingers?: boolean
}

const tickMs = 20
/** A server that does not answer is not waited for. */
const lingerLimitMs = 10_000

/** A TCP proxy before one server, for one client. */
export class Link implements AsyncDisposable {
  readonly targetPort: number
  readonly port: number
  /** Bytes that a state other than open has delayed, held or swallowed, and connections that it has ended. */
  hurt = 0
  /** Connections that the server ended. */
  lost = 0
  /** Bytes to and from the client since the beginning. */
  readonly bytes = { up: 0, down: 0 }
  watcher: Watcher | undefined
  /** Called with what the server sends, before it is passed on. */
  onDown: ((chunk: Buffer) => void) | undefined
  readonly protocol: ProtocolName
  readonly lingers: boolean
  #state: LinkState = { kind: 'open' }
  readonly #server: Server
  readonly #pairs = new Set<Pair>()

  private constructor(server: Server, port: number, targetPort: number, options: LinkOptions) {
    this.#server = server
    this.port = port
    this.targetPort = targetPort
    this.protocol = options.protocol ?? 'kafka'
    this.lingers = options.lingers ?? false
    server.on('connection', socket => this.#accept(socket))
  }

  static async open(targetPort: number, options: LinkOptions = {}): Promise<Link> {
    const server = createServer({ allowHalfOpen: false })
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
    await promise
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    return new Link(server, address.port, targetPort, options)
  }

  get state(): LinkState {
    return this.#state
  }

  /** Connections whose client is gone while the server is still at work for it. */
  get lingering(): number {
    return [...this.#pairs].filter(pair => pair.isLingering).length
  }

  set state(state: LinkState) {
    this.#state = state
    if (state.kind === 'half-open') for (const pair of this.#pairs) pair.swallowed = true
    if (state.kind === 'cut') this.drop()
  }

  /** Ends all connections; new ones are as the state says. */
  drop(): void {
    this.hurt += this.#pairs.size
    for (const pair of this.#pairs) pair.end()
  }

  #accept(client: Socket): void {
    if (this.#state.kind === 'cut') {
      this.hurt += 1
      client.destroy()
      return
    }
    const server = connectTcp(this.targetPort, '127.0.0.1')
    const pair = new Pair(this, client, server)
    pair.swallowed = this.#state.kind === 'half-open'
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      socket.once('close', () => {
        if (client.destroyed && server.destroyed) this.#pairs.delete(pair)
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pair of this.#pairs) pair.end()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => resolve())
    await promise
  }
}

/** One connection through a link. */
class Pair {
  swallowed = false
  readonly #link: Link
  readonly #client: Socket
  readonly #server: Socket
  readonly #frames: RequestFrames

  constructor(link: Link, client: Socket, server: Socket) {
    this.#link = link
    this.#client = client
    this.#server = server
    this.#frames = new RequestFrames(link.protocol)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        if (socket === server && !client.destroyed) this.#link.lost += 1
        if (socket === client && this.isLingering) setTimeout(() => this.end(), lingerLimitMs).unref()
        // A half-open link keeps the client believing; the far end is gone.
        else if (!this.swallowed || socket === client) this.end()
      })
    }
    void this.#pump(client, server, 'up')
    void this.#pump(server, client, 'down')
  }

  /** Whether the server still works for a client that is gone, or just going. */
  get isLingering(): boolean {
    const { destroyed, readableEnded } = this.#client
    return (destroyed || readableEnded) && this.#isAwaited
  }

  get #isAwaited(): boolean {
    return this.#link.lingers && !this.swallowed && !this.#server.destroyed && this.#frames.unanswered > 0
  }

  end(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  async #pump(from: Socket, to: Socket, direction: 'up' | 'down'): Promise<void> {
    try {
      for await (const chunk of from) {
        if (!(await this.#mayPass(chunk as Buffer, direction))) continue
        if (to.destroyed) {
          if (!this.#isAwaited) this.end() // It was the last answer.
        } else if (!to.write(chunk as Buffer)) await drained(to)
      }
      if (!this.swallowed && !this.isLingering) to.end()
    } catch {
      // Ended by either side, or by us; 'close' has dealt with it.
    }
  }

  /** Waits as the link's state says; false where the bytes are never to arrive. */
  async #mayPass(chunk: Buffer, direction: 'up' | 'down'): Promise<boolean> {
    const link = this.#link
    link.bytes[direction] += chunk.length
    const { state } = link
    if (state.kind !== 'open') link.hurt += chunk.length
    if (state.kind === 'latency') await sleep(state.ms)
    if (state.kind === 'slow') await sleep((1_000 * chunk.length) / state.bytesPerSecond)
    while (link.state.kind === 'held' && !this.#client.destroyed) await sleep(tickMs)
    if (this.swallowed) return false
    if (direction === 'down') link.onDown?.(chunk)
    this.#frames[direction](chunk)
    if ((link.watcher?.(this.#frames) ?? 'pass') === 'pass') return true
    if (direction === 'up') this.#frames.withhold()
    return false
  }
}

/** Unreferenced: a link that is forgotten must not keep the process. */
function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) return Promise.resolve()
  return new Promise(resolve => {
    socket.once('drain', resolve)
    socket.once('close', () => resolve())
  })
}
