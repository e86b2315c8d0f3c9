import { type Clock, steady } from '../../clock.ts'
import { Configuration, Retryable } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { isTopicName, type TopicSpec } from '../sink.ts'
import { type Api, faultOf, jsonOf } from './api.ts'

const createLimitMs = 120_000
const pollMs = 1_000

/** A stream that takes messages. */
export interface StreamFacts {
  readonly id: string
  readonly name: string
  readonly partitions: number
  /** Where its messages go: for private pools another host than that of the administration. */
  readonly messagesEndpoint: string
}

/** As ListStreams answers. */
interface StreamSummary extends StreamFacts {
  readonly lifecycleState: string
}

export interface StreamsOptions {
  readonly api: Api
  /** Of the administration. */
  readonly endpoint: string
  readonly streamPoolId: string
  /** Of streams that are created here, 24 to 168. */
  readonly retentionHours: number
  readonly clock: Clock
  readonly log: Logger
}

/** The streams of one pool by their names, which are the topics. */
export class Streams {
  readonly #options: StreamsOptions
  readonly #known = new Map<string, StreamFacts>()

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  /** Whether the pool can be seen: the first question to the service. Throws Retryable or Configuration. */
  async check(signal: AbortSignal): Promise<void> {
    await this.#list({ limit: '1' }, signal)
  }

  /**
   * The stream `name`; where there is none and `spec` says with how many partitions, it is created. Throws Configuration
   * SINK_TOPIC_INVALID or SINK_OCI_STREAM, Retryable, or the faults of the service.
   */
  async use(name: string, spec: Pick<TopicSpec, 'partitions'>, signal: AbortSignal): Promise<StreamFacts> {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    if (!isTopicName(name)) throw new Configuration('SINK_TOPIC_INVALID', `${JSON.stringify(name)} is no stream's name`)
    const found = await this.#find(name, signal)
    if (found === undefined) await this.#create(name, spec.partitions, signal)
    const stream = found?.lifecycleState === 'ACTIVE' ? found : await this.#whenActive(name, signal)
    const { id, partitions, messagesEndpoint } = stream
    const facts = { id, name, partitions, messagesEndpoint: this.#trusted(messagesEndpoint, name) }
    this.#known.set(name, facts)
    return facts
  }

  /** The stream that is ACTIVE, becoming it, or being changed; those that are deleted keep their names for a while. */
  async #find(name: string, signal: AbortSignal): Promise<StreamSummary | undefined> {
    const streams = await this.#list({ name }, signal)
    const alive = streams.filter(({ lifecycleState }) => ['ACTIVE', 'CREATING', 'UPDATING'].includes(lifecycleState))
    return alive.find(stream => stream.name === name)
  }

  async #list(query: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly StreamSummary[]> {
    const { api, endpoint, streamPoolId } = this.#options
    try {
      const whole = { streamPoolId, ...query }
      const answer = await api.call({ method: 'GET', endpoint, path: '/streams', query: whole }, signal)
      return jsonOf<readonly StreamSummary[]>(answer, 'ListStreams')
    } catch (error) {
      signal.throwIfAborted()
      throw faultOf(error, endpoint)
    }
  }

  async #create(name: string, partitions: number | undefined, signal: AbortSignal): Promise<void> {
    const { api, endpoint, streamPoolId, retentionHours: retentionInHours, log } = this.#options
    if (partitions === undefined) {
      throw new Configuration('SINK_OCI_STREAM', `there is no stream ${name} in pool ${streamPoolId}`)
    }
    const body = Buffer.from(JSON.stringify({ name, partitions, streamPoolId, retentionInHours }))
    try {
      await api.call({ method: 'POST', endpoint, path: '/streams', body }, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (await this.#find(name, signal)) return // Another pipeline or worker was first.
      throw faultOf(error, endpoint)
    }
    const message = `created stream ${name} with ${partitions} partitions, which cannot be changed any more`
    log.info({ topic: name, partitions, retentionInHours }, message)
  }

  async #whenActive(name: string, signal: AbortSignal): Promise<StreamSummary> {
    const clock = steady(this.#options.clock)
    const untilMs = clock.nowMs() + createLimitMs
    for (;;) {
      const stream = await this.#find(name, signal)
      if (stream?.lifecycleState === 'ACTIVE') return stream
      const state = stream?.lifecycleState ?? 'not there'
      if (clock.nowMs() >= untilMs) throw new Retryable('SINK_UNAVAILABLE', `stream ${name} is ${state} for too long`)
      await clock.sleep(pollMs, signal)
    }
  }

  /** Signed requests go only where the user's own endpoint would let them go: never from TLS to plain text. */
  #trusted(messagesEndpoint: string, name: string): string {
    const { protocol } = new URL(this.#options.endpoint)
    const given = URL.parse(messagesEndpoint)
    if (given?.protocol === 'https:' || (given !== null && given.protocol === protocol)) return given.origin
    throw new Configuration('SINK_OCI_REJECTED', `stream ${name}: its messagesEndpoint is no https address`)
  }
}
