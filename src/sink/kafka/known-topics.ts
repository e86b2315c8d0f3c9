import type { Clock } from '../../clock.ts'
import { untilAborted, withDeadline } from '../../deadline.ts'
import { Retryable } from '../../errors.ts'
import type { TopicSpec } from '../sink.ts'

/** How long a question about a topic that is known may take before its last answer stands. */
const patienceMs = 1_500

/** The number of partitions of a topic, which is created where it does not exist. Throws Faults. */
export type CountPartitions = (topic: string, spec: TopicSpec, signal: AbortSignal) => Promise<number>

/**
 * What a target knows of its topics. Every sink asks anew, since a topic may have been deleted, and those that ask at
 * the same time share the question. While nobody answers, as when the one broker that was asked is frozen, the last
 * answer stands: were it wrong, the brokers would refuse what is sent.
 */
export class KnownTopics implements Disposable {
  readonly #ask: CountPartitions
  readonly #clock: Clock
  readonly #counts = new Map<string, number>()
  readonly #asking = new Map<string, Promise<number>>()
  readonly #disposing = new AbortController()

  constructor(ask: CountPartitions, clock: Clock) {
    this.#ask = ask
    this.#clock = clock
  }

  async partitions(topic: string, spec: TopicSpec, signal: AbortSignal): Promise<number> {
    const known = this.#counts.get(topic)
    const asking = this.#asking.get(topic) ?? this.#begin(topic, spec)
    if (known === undefined) return untilAborted(asking, signal)
    const late = () => new Retryable('SINK_UNAVAILABLE', `Kafka says nothing about topic ${topic}`)
    const onEnd = () => undefined // It goes on: its answer serves whoever asks next.
    try {
      return await withDeadline(asking, { limitMs: patienceMs, late, clock: this.#clock, signal, onEnd })
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof Retryable) return known
      throw error
    }
  }

  /** Questions that are under way reject. */
  [Symbol.dispose](): void {
    this.#disposing.abort(new Retryable('SINK_UNAVAILABLE', 'Kafka: closed by us'))
  }

  #begin(topic: string, spec: TopicSpec): Promise<number> {
    const asking = this.#ask(topic, spec, this.#disposing.signal)
      .then(count => {
        this.#counts.set(topic, count)
        return count
      })
      .finally(() => this.#asking.delete(topic))
    asking.catch(() => undefined) // Whoever asked may have stopped waiting.
    this.#asking.set(topic, asking)
    return asking
  }
}
