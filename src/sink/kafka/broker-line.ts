import type { Clock } from '../../clock.ts'
import { untilAborted } from '../../deadline.ts'
import { type Fault, Retryable } from '../../errors.ts'
import { Silence } from './silence.ts'

/** A connection to one broker, used until it breaks and never mended. Questions on it reject once it is closed. */
export interface LineConnection {
  readonly closed: boolean
  /** Idempotent. */
  close(): void
}

export interface BrokerLineParts<C extends LineConnection> {
  /** Its own limits end it: for the connection and for each answer. */
  readonly open: (signal: AbortSignal) => Promise<C>
  readonly clock: Clock
  /** The broker was asked or is being connected to, and is silent (silence.ts). Default: its limits alone count. */
  readonly onSilent?: () => void
  /**
   * `keep`: what one asks and no longer waits for is answered unheard. `close`: a broker answers a connection's
   * requests one after the other, so the answer that nobody waits for would hold up the next question.
   */
  readonly onAbort: 'keep' | 'close'
  /**
   * A connection over which nothing has come for so long, and nothing is asked, is not used again: it may have died
   * meanwhile without a word. Absent: it is, and its silence then counts (`wasQuiet`).
   */
  readonly keptMs?: number | undefined
}

/** One connection from its opening on, and who waits for answers on it. */
interface Session<C> {
  readonly opening: Promise<C>
  /** What `opening` came to. */
  connection: C | undefined
  readonly silence: Silence
  readonly ended: AbortController
}

/**
 * The line to one broker: a connection that is opened when somebody asks, shared by all who do, and replaced when it
 * has closed.
 */
export class BrokerLine<C extends LineConnection> implements Disposable {
  readonly #parts: BrokerLineParts<C>
  #session: Session<C> | undefined
  #isRetired = false

  constructor(parts: BrokerLineParts<C>) {
    this.#parts = parts
  }

  /** Whether there is a connection; while there is, an error that was answered is the broker's own. */
  get isOpen(): boolean {
    return this.#session?.connection?.closed === false
  }

  /** Whether its connection has closed by itself. */
  get hasBroken(): boolean {
    return this.#session?.connection?.closed === true
  }

  /** Whether nothing had been heard for long when those asked who wait for an answer now. */
  get wasQuiet(): boolean {
    return this.#session?.connection !== undefined && this.#session.silence.wasQuiet
  }

  /**
   * Questions are on the wire in call order. Rejects as the connection does, with the signal's reason, or that of
   * `hangUp`. A question whose asker has gone before the connection was there is never put.
   */
  async ask<T>(question: (connection: C) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    const session = this.#current()
    const { opening, silence, ended } = session
    const either = AbortSignal.any([signal, ended.signal])
    silence.asked()
    const put = async (connection: C): Promise<T> => {
      either.throwIfAborted()
      const answer = question(connection)
      answer.then(
        () => silence.heard(),
        () => silence.heard(),
      )
      return await answer
    }
    try {
      return await untilAborted(opening.then(put), either)
    } catch (error) {
      if (signal.aborted && this.#parts.onAbort === 'close') this.#end(session, closedByUs())
      throw error
    } finally {
      silence.settled()
      if (this.#isRetired && silence.outstanding === 0) this.#end(session, closedByUs())
    }
  }

  /** Ends the connection: who waits on it hears `why`. The next question opens another. */
  hangUp(why: Fault = closedByUs()): void {
    if (this.#session !== undefined) this.#end(this.#session, why)
  }

  /** The connection ends as soon as nobody waits for an answer. */
  retire(): void {
    this.#isRetired = true
    if (this.#session?.silence.outstanding === 0) this.hangUp()
  }

  [Symbol.dispose](): void {
    this.hangUp()
  }

  /** Of all who ask; so it is not for one of them to abort it. */
  #current(): Session<C> {
    const { open, clock, keptMs = Number.POSITIVE_INFINITY, onSilent = () => {} } = this.#parts
    const known = this.#session
    const isStale = known?.silence.outstanding === 0 && known.silence.quietMs > keptMs
    if (known !== undefined && !known.connection?.closed && !isStale) return known
    if (isStale) this.#end(known, closedByUs())
    known?.silence.stop() // Who waited there has heard from the connection itself.
    const ended = new AbortController()
    const silence = new Silence(clock, onSilent)
    const session: Session<C> = { opening: open(ended.signal), connection: undefined, silence, ended }
    this.#session = session
    session.opening.then(
      connection => {
        session.connection = connection
        silence.heard()
        if (ended.signal.aborted) connection.close()
      },
      () => {
        silence.stop()
        if (this.#session === session) this.#session = undefined // Who asked hears of it, who comes later opens another.
      },
    )
    return session
  }

  #end(session: Session<C>, why: Fault): void {
    if (this.#session === session) this.#session = undefined
    session.silence.stop()
    session.ended.abort(why)
    session.connection?.close()
  }
}

function closedByUs(): Fault {
  return new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us')
}
