import type { Clock } from '../../clock.ts'
import { Retryable } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { type BackOff, backOffMs } from '../../retry.ts'
import { readWoven } from '../woven.ts'
import type { Api } from './api.ts'
import { faultOf, Refused } from './api.ts'
import { cursorAt, getMessages, type Message } from './messages.ts'
import type { StreamFacts, Streams } from './streams.ts'

/** How far the clocks of the service may be apart, and more. */
const marginMs = 5_000
/** Empty answers in a row that are taken for the end: one may come in the middle, too. */
const emptyAnswers = 3
const attemptLimit = 10
const backOff: BackOff = { initialMs: 200, maxMs: 2_000 }
/** Some 100 bytes each. */
const positionsLimit = 500_000

export interface TailsParts {
  readonly api: Api
  readonly streams: Pick<Streams, 'use'>
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Reads back what a stream has taken after a checkpoint. There are no end offsets to be had from this service without
 * reading up to them, so an "end" is a time here: milliseconds of the service's clock, at which a cursor begins.
 *
 * Messages of one key are in order in their partition, but those of different keys are not: one that failed is sent
 * again behind later ones of other keys. So what is left out of a replay are exactly the positions that are there, and
 * not, as with Kafka, everything up to the highest.
 */
export class Tails {
  readonly #parts: TailsParts

  constructor(parts: TailsParts) {
    this.#parts = parts
  }

  /** A moment for each partition: what is sent from now on is stored at it or later. */
  async ends(_topic: string, count: number, signal: AbortSignal): Promise<readonly number[]> {
    signal.throwIfAborted()
    return new Array<number>(count).fill(Math.max(0, Math.floor(this.#parts.api.serviceMs - marginMs)))
  }

  /** The positions, as Latin-1 text, of messages of `source` that were stored from the moments in `from` on. */
  async present(
    topic: string,
    from: readonly number[],
    source: string,
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    const stream = await this.#parts.streams.use(topic, { partitions: undefined }, signal)
    const positions = new Set<string>()
    const partitions = from.map((fromMs, partition) =>
      this.#readPartition(stream, partition, fromMs, signal, message => {
        const woven = readWoven(message.value)
        if (woven?.source === source) positions.add(woven.position.toString('latin1'))
        return positions.size < positionsLimit
      }),
    )
    const results = await Promise.allSettled(partitions)
    for (const result of results) if (result.status === 'rejected') throw result.reason
    return positions
  }

  /** Up to the first message that was stored after we began, or to the end; `take` says whether to go on. */
  async #readPartition(
    stream: StreamFacts,
    partition: number,
    fromMs: number,
    signal: AbortSignal,
    take: (message: Message) => boolean,
  ): Promise<void> {
    const { api, log } = this.#parts
    const beganMs = api.serviceMs + marginMs
    let cursor = await this.#patiently(stream, signal, () => cursorAt(api, stream, partition, fromMs, signal))
    for (let empty = 0; empty < emptyAnswers; ) {
      const { messages, next } = await this.#patiently(stream, signal, () => getMessages(api, stream, cursor, signal))
      empty = messages.length === 0 ? empty + 1 : 0
      cursor = next
      for (const message of messages) {
        if (message.timestampMs > beganMs) return
        if (take(message)) continue
        log.warn({ topic: stream.name, partition }, 'too much to read back: some records may be sent twice')
        return
      }
    }
  }

  /** Reading may be repeated: after a failure that can pass, it is. */
  async #patiently<T>(stream: StreamFacts, signal: AbortSignal, read: () => Promise<T>): Promise<T> {
    const { clock } = this.#parts
    for (let attempt = 1; ; attempt++) {
      try {
        return await read()
      } catch (error) {
        signal.throwIfAborted()
        const fault = faultOf(error, stream.messagesEndpoint)
        if (!(fault instanceof Retryable) || attempt === attemptLimit) throw fault
        const namedMs = error instanceof Refused ? error.waitMs : undefined
        await clock.sleep(Math.max(namedMs ?? 0, backOffMs(backOff, attempt, clock)), signal)
      }
    }
  }
}
