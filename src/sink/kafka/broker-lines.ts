import type { Clock } from '../../clock.ts'
import { untilAborted } from '../../deadline.ts'
import { Retryable } from '../../errors.ts'
import { BrokerLine, type LineConnection } from './broker-line.ts'

export interface BrokerLinesParts<K, C extends LineConnection> {
  /** Which broker answers for `subject` at present, asked of any. It asks anew each time. */
  readonly find: (subject: string, signal: AbortSignal) => Promise<K>
  readonly open: (broker: K, signal: AbortSignal) => Promise<C>
  /** As of a line. */
  readonly onAbort: 'keep' | 'close'
  /** As of a line. */
  readonly keptMs?: number
  readonly clock: Clock
}

/**
 * Asks those brokers that alone can answer: the coordinator of an id, the leader of a partition. One line a broker. Who
 * answers for what is remembered until an answer or a silence puts it in doubt.
 *
 * While a broker is silent, others are asked whether it still answers for what it was asked. Only when it does not is
 * its line given up: a slow broker is waited for, a frozen one only until it has a successor. Where it does, but the
 * connection had been quiet before, it is the connection that may be dead: another one is made, once.
 */
export class BrokerLines<K, C extends LineConnection> implements Disposable {
  readonly #parts: BrokerLinesParts<K, C>
  readonly #closing = new AbortController()
  /** By subject. */
  readonly #brokers = new Map<string, K>()
  readonly #lines = new Map<K, BrokerLine<C>>()
  /** Subjects of the questions that are not answered yet, once for each of them. */
  readonly #asked = new Map<K, string[]>()
  readonly #verifying = new Set<K>()

  constructor(parts: BrokerLinesParts<K, C>) {
    this.#parts = parts
  }

  /** Rejects as `find` and the connection do; whoever gave no answer is then looked for anew by all who ask. */
  async ask<T>(subject: string, question: (connection: C) => Promise<T>, signal: AbortSignal): Promise<T> {
    const either = AbortSignal.any([signal, this.#closing.signal])
    either.throwIfAborted()
    const broker = this.#brokers.get(subject) ?? (await untilAborted(this.#parts.find(subject, either), either))
    this.#brokers.set(subject, broker)
    const line = this.#lineTo(broker)
    const asked = this.#asked.get(broker) ?? []
    this.#asked.set(broker, asked)
    asked.push(subject)
    try {
      return await line.ask(question, either)
    } catch (error) {
      if (!signal.aborted && !line.isOpen) this.#distrust(broker)
      throw error
    } finally {
      asked.splice(asked.indexOf(subject), 1)
    }
  }

  /** Who answers for `subject` is to be asked. */
  forget(subject: string): void {
    this.#brokers.delete(subject)
  }

  /** Ends the lines to all other brokers: who waits there waits in vain. */
  leadTo(broker: K): void {
    for (const [other, line] of this.#lines) if (other !== broker) line.hangUp()
  }

  /** Ends all lines and forgets everything. */
  hangUp(): void {
    for (const line of this.#lines.values()) line.hangUp()
    this.#lines.clear()
    this.#brokers.clear()
  }

  /** Questions under way reject. */
  [Symbol.dispose](): void {
    this.#closing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
    this.hangUp()
  }

  #lineTo(broker: K): BrokerLine<C> {
    const known = this.#lines.get(broker)
    if (known !== undefined) return known
    const { open, onAbort, keptMs, clock } = this.#parts
    const onSilent = () => void this.#verify(broker)
    const line = new BrokerLine({ open: signal => open(broker, signal), onAbort, keptMs, onSilent, clock })
    this.#lines.set(broker, line)
    return line
  }

  /** Whoever it answered for may have another broker by now. */
  #distrust(broker: K): void {
    for (const [subject, known] of this.#brokers) if (known === broker) this.#brokers.delete(subject)
  }

  /** One question at a time about a broker that is silent. Never rejects. */
  async #verify(broker: K): Promise<void> {
    const subject = this.#asked.get(broker)?.[0]
    if (subject === undefined || this.#verifying.has(broker)) return
    this.#verifying.add(broker)
    try {
      const now = await this.#parts.find(subject, this.#closing.signal)
      if (!this.#asked.get(broker)?.includes(subject)) return
      const line = this.#lines.get(broker)
      if (now === broker) {
        // Looked at again: an answer may have come meanwhile.
        if (line?.wasQuiet) line.hangUp(new Retryable('SINK_UNAVAILABLE', quietMessage(broker)))
        return
      }
      this.#distrust(broker)
      this.#brokers.set(subject, now)
      const message = `Kafka: broker ${broker} is silent, and ${now} answers for ${subject} by now`
      line?.hangUp(new Retryable('SINK_UNAVAILABLE', message))
    } catch {
      // Nobody knows better: it is asked again while the silence lasts.
    } finally {
      this.#verifying.delete(broker)
    }
  }
}

function quietMessage(broker: unknown): string {
  return `Kafka: broker ${broker} is silent on a connection that was quiet before; it may have died without a word`
}
