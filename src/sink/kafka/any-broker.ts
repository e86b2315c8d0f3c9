import type { Clock } from '../../clock.ts'
import { Configuration, Retryable } from '../../errors.ts'
import { BrokerLine } from './broker-line.ts'
import type { BrokerAddress } from './protocol/metadata.ts'
import type { Request } from './protocol/request.ts'
import type { WireConnection } from './wire-connection.ts'

/** `host:port` or `[IPv6]:port`. Throws Configuration CONFIG_INVALID. */
export function parseAddress(text: string): BrokerAddress {
  const [, host, port] = /^\[?([^[\]]+?)\]?:(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new Configuration('CONFIG_INVALID', `"${text}" is not an address of a Kafka broker, host:port`)
  }
  return { host, port: Number(port) }
}

export interface AnyBrokerParts {
  /** `host:port` each. */
  readonly bootstrap: readonly string[]
  readonly open: (address: BrokerAddress, signal: AbortSignal) => Promise<WireConnection>
  readonly clock: Clock
}

/** After so long without an answer the next broker is asked as well: the first may be frozen, or only slow. */
const nextAfterMs = 1_500

type Line = BrokerLine<WireConnection>
/** How asking one broker ended. `isGone`: it has given no answer. */
type Outcome<T> = { readonly line: Line } & (
  | { readonly answer: T }
  | { readonly error: unknown; readonly isGone: boolean }
)

/**
 * Asks whichever broker answers: the bootstrap addresses in turn, then those that metadata named. One connection is
 * kept for all questions; when it fails, or is silent for a while, the next address is tried, each at most once a
 * question. Where several have been asked the first answer counts, so a question may be carried out more than once.
 */
export class AnyBroker implements Disposable {
  readonly #bootstrap: readonly BrokerAddress[]
  readonly #parts: AnyBrokerParts
  readonly #disposing = new AbortController()
  #addresses: readonly BrokerAddress[]
  #next = 0
  #line: Line | undefined

  constructor(parts: AnyBrokerParts) {
    this.#bootstrap = parts.bootstrap.map(parseAddress)
    this.#addresses = this.#bootstrap
    this.#parts = parts
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
   * Throws the last Retryable when none answers; anything that another broker would not mend, such as a wrong
   * password, at once; the signal's reason when it aborts.
   */
  async ask<T>(request: Request<T>, signal: AbortSignal): Promise<T> {
    const done = new AbortController()
    const either = AbortSignal.any([signal, this.#disposing.signal, done.signal])
    const asking = new Map<Line, Promise<Outcome<T>>>()
    // Once more than there are addresses: the kept connection may have died while nobody asked.
    let left = this.#addresses.length + 1
    const isAlone = this.#addresses.length === 1
    try {
      for (;;) {
        signal.throwIfAborted()
        const line = this.#current()
        if (left > 0 && !asking.has(line)) {
          left -= 1
          asking.set(line, askOver(line, request, either))
        }
        const outcome = await this.#first(asking.values(), left > 0 && !isAlone)
        if (outcome === undefined) {
          this.#leave(line)
          continue
        }
        if ('answer' in outcome) return outcome.answer
        signal.throwIfAborted()
        const { error, isGone } = outcome
        if (isGone) this.#leave(outcome.line)
        if (!isGone || !(error instanceof Retryable) || this.#disposing.signal.aborted) throw error
        asking.delete(outcome.line)
        if (left === 0 && asking.size === 0) throw error
      }
    } finally {
      done.abort()
    }
  }

  /** Ends the connection; the next question begins with the first address. */
  hangUp(): void {
    this.#line?.hangUp()
    this.#next = 0
  }

  /** Ends the connection; questions under way reject. */
  [Symbol.dispose](): void {
    this.#disposing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    this.#line?.hangUp()
  }

  /** The first of `asking` to settle; undefined where all are silent and there is another broker to ask. */
  async #first<T>(asking: Iterable<Promise<Outcome<T>>>, hasNext: boolean): Promise<Outcome<T> | undefined> {
    if (!hasNext) return await Promise.race(asking)
    const patience = new AbortController()
    const late = this.#parts.clock.sleep(nextAfterMs, patience.signal).then(
      () => undefined,
      () => undefined,
    )
    try {
      return await Promise.race([...asking, late])
    } finally {
      patience.abort()
    }
  }

  #current(): Line {
    if (this.#line?.hasBroken) this.#leave(this.#line)
    const { open, clock } = this.#parts
    const address = this.#addresses[this.#next]!
    this.#line ??= new BrokerLine({ open: signal => open(address, signal), onAbort: 'keep', clock })
    return this.#line
  }

  /** Goes on to the next address, once for all who asked over `line`; who still waits there may get an answer. */
  #leave(line: Line): void {
    if (this.#line !== line) return
    this.#line = undefined
    this.#next = (this.#next + 1) % this.#addresses.length
    line.retire()
  }
}

/** Never rejects. */
async function askOver<T>(line: Line, request: Request<T>, signal: AbortSignal): Promise<Outcome<T>> {
  try {
    return { line, answer: await line.ask(connection => connection.request(request), signal) }
  } catch (error) {
    return { line, error, isGone: !signal.aborted && !line.isOpen }
  }
}

function isSame(a: BrokerAddress, b: BrokerAddress): boolean {
  return a.host === b.host && a.port === b.port
}
