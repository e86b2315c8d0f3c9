import type { Clock } from '../../clock.ts'
import { type Fault, PoisonEvent, type RefusedRecord, Retryable } from '../../errors.ts'
import type { Meter } from '../../meter.ts'
import { positionText } from '../../record-headers.ts'
import { type BackOff, backOffMs } from '../../retry.ts'
import { type Api, faultOf, Refused } from './api.ts'
import { NoAnswer } from './http.ts'
import { KeyQueues, type Queued } from './key-queues.ts'
import { type PutResult, putMessages } from './messages.ts'
import type { StreamFacts } from './streams.ts'

/** A request's keys and values: the service calls it 1 MiB here and 1 MB there, so the smaller of the two. */
const requestLimitBytes = 1_000_000
/** Bounds the results of a request; the service knows no limit. */
const messagesPerRequest = 5_000
/** Requests in a row that stored nothing, before the pipeline begins anew from its checkpoint. */
const attemptLimit = 20
const resendBackOff: BackOff = { initialMs: 100, maxMs: 5_000 }
/** A longer wait is not sat out in memory. */
const waitLimitMs = 300_000

/** Who sent a message, and what to say about it should it be refused. */
export interface Sent<C> {
  readonly call: C
  readonly record: RefusedRecord
}

export interface SenderParts<C> {
  readonly pipeline: string
  readonly stream: StreamFacts
  readonly api: Api
  /** At once, for this stream. */
  readonly requests: number
  readonly clock: Clock
  readonly meter: Meter
  readonly onStored: (message: Queued<Sent<C>>) => void
  /** Called once at most; nothing new is sent from then on. */
  readonly onFault: (fault: unknown) => void
  /** A request has ended. */
  readonly onAnswer: () => void
  /** Cuts what is on the wire. */
  readonly cut: AbortSignal
}

type Message<C> = Queued<Sent<C>>

/** Sends the messages of one stream: several requests at once, never two messages of a key. */
export class StreamSender<C> {
  readonly #parts: SenderParts<C>
  readonly #queues = new KeyQueues<Sent<C>>()
  readonly #stopped = new AbortController()
  #outstanding = 0
  /** Requests in a row that stored nothing. */
  #failures = 0
  #pauses = 0
  #most = messagesPerRequest

  constructor(parts: SenderParts<C>) {
    this.#parts = parts
  }

  get stream(): StreamFacts {
    return this.#parts.stream
  }

  /** Requests on the wire. */
  get outstanding(): number {
    return this.#outstanding
  }

  push(message: Message<C>): void {
    this.#queues.push(message)
  }

  /** Begins the requests that may begin now. */
  dispatch(): void {
    while (!this.#stopped.signal.aborted && this.#pauses === 0 && this.#outstanding < this.#parts.requests) {
      const messages = this.#queues.take(requestLimitBytes, this.#most)
      if (messages.length === 0) return
      void this.#send(messages)
    }
  }

  /** Nothing new is sent. What is on the wire goes on. */
  stop(): void {
    this.#stopped.abort()
    this.#queues.clear()
  }

  /** Never rejects. */
  async #send(messages: readonly Message<C>[]): Promise<void> {
    const { api, stream, cut, onAnswer } = this.#parts
    this.#outstanding += 1
    const jsons = messages.map(({ json }) => json)
    const answer = await putMessages(api, stream, jsons, cut).then(
      results => ({ results }),
      (error: unknown) => ({ error }),
    )
    this.#outstanding -= 1
    // Also after a stop: what is stored is stored, and its caller hears of it.
    if ('results' in answer) this.#settle(messages, answer.results)
    else if (!this.#stopped.signal.aborted) this.#refused(messages, answer.error)
    this.dispatch()
    onAnswer()
  }

  #settle(messages: readonly Message<C>[], results: readonly PutResult[]): void {
    const isStopped = this.#stopped.signal.aborted
    const failed: Message<C>[] = []
    let waitMs: number | undefined
    for (const [i, message] of messages.entries()) {
      const { error, waitMs: named } = results[i]!
      if (error === undefined) {
        if (!isStopped) this.#queues.acknowledge(message)
        this.#parts.onStored(message)
        continue
      }
      if (!isPassing(error)) {
        this.#fail(refusal(message.caller.record, `error ${error}`))
        return
      }
      failed.push(message)
      if (named !== undefined) waitMs = Math.max(waitMs ?? 0, named)
    }
    if (isStopped) return
    this.#failures = failed.length < messages.length ? 0 : this.#failures + 1
    if (failed.length > 0) this.#again(failed, failed.length === messages.length, waitMs, 'every message was throttled')
  }

  /** The whole request. */
  #refused(messages: readonly Message<C>[], error: unknown): void {
    if (error instanceof Refused && (error.status === 400 || error.status === 413)) {
      this.#tooMuch(messages, error)
      return
    }
    const isThrottled = error instanceof Refused && error.status === 429
    const isUnsent = error instanceof NoAnswer && !error.mayHaveArrived
    if (!isThrottled && !isUnsent) {
      // Whether it was stored is not known: sent again from here it might stand behind a later change of its key. The
      // replay asks the stream first.
      this.#fail(faultOf(error, this.stream.messagesEndpoint))
      return
    }
    this.#failures += 1
    this.#again(messages, true, isThrottled ? error.waitMs : undefined, error.message)
  }

  /** Nothing of the request was stored, and nobody says which message is to blame: smaller ones, down to that one. */
  #tooMuch(messages: readonly Message<C>[], error: Refused): void {
    const [first] = messages
    if (messages.length === 1 && first !== undefined) {
      // Without the service's own words, which may quote what it refused (G9).
      const { status, serviceCode, requestId } = error
      this.#fail(refusal(first.caller.record, `${status} ${serviceCode} (opc-request-id ${requestId})`))
      return
    }
    this.#most = Math.min(this.#most, Math.ceil(messages.length / 2))
    for (const message of messages) this.#queues.release(message)
  }

  /** Sends `messages` again after the wait. Where all of the request failed the whole stream waits, else their keys. */
  #again(messages: readonly Message<C>[], isAll: boolean, namedMs: number | undefined, why: string): void {
    const { clock, meter, pipeline } = this.#parts
    const { name } = this.stream
    if (this.#failures >= attemptLimit || (namedMs ?? 0) > waitLimitMs) {
      const text = namedMs === undefined ? '' : `, and names a wait of ${namedMs} ms`
      const message = `stream ${name} stored nothing of the last ${this.#failures} requests${text}: ${why}`
      this.#fail(new Retryable('SINK_UNAVAILABLE', message))
      return
    }
    // The named wait is waited whole, and a little more, so that not everything begins in the same millisecond.
    const ownMs = backOffMs(resendBackOff, Math.max(1, this.#failures), clock)
    const waitMs = namedMs === undefined ? ownMs : namedMs + Math.min(ownMs, 100)
    meter.count('sink_retries_total', { pipeline })
    if (namedMs !== undefined) meter.count('sink_throttled_seconds_total', { pipeline }, waitMs / 1_000)
    void this.#wait(messages, waitMs, isAll)
  }

  async #wait(messages: readonly Message<C>[], waitMs: number, isAll: boolean): Promise<void> {
    if (isAll) this.#pauses += 1
    try {
      await this.#parts.clock.sleep(waitMs, this.#stopped.signal)
    } catch {
      return // Stopped.
    }
    if (isAll) this.#pauses -= 1
    for (const message of messages) this.#queues.release(message)
    this.dispatch()
  }

  #fail(fault: unknown): void {
    if (this.#stopped.signal.aborted) return
    this.#parts.onFault(fault)
  }
}

/** Throttled, or the service's own trouble: the same message may pass later. */
function isPassing(error: string): boolean {
  return error === '429' || /^5\d\d$/.test(error) || /^(TooManyRequests|InternalServerError|InternalError)$/.test(error)
}

function refusal(record: RefusedRecord, why: string): Fault {
  return new PoisonEvent('SINK_OCI_REJECTED', `${placeOf(record)}: OCI Streaming refused the message: ${why}`, {
    record,
  })
}

/** Names stream, sizes and position, never the contents (G9). */
export function placeOf({ topic, keyBytes, position }: RefusedRecord): string {
  const place = `stream ${topic}, key of ${keyBytes} bytes`
  return position === undefined ? place : `${place}, m2k.position ${positionText(position)}`
}
