import type { Question } from '../sink/kafka/proxy/link.ts'
import { type Part, readProduce, refuseProduce, writeProduce } from '../sink/kafka/proxy/produce.ts'
import { KafkaProxy, type ProxyOptions } from '../sink/kafka/proxy/proxy.ts'

const produceApi = 0
/** THROTTLING_QUOTA_EXCEEDED. */
const throttled = 89

/**
 * A target that can be told to take nothing for one topic, as a service does whose partitions have quotas: batches for it
 * are answered with an error that says so, all others of the same request are taken. A proxy for the whole cluster.
 */
export class TopicGate implements AsyncDisposable {
  readonly #proxy: KafkaProxy
  readonly #shut = new Set<string>()
  /** Of requests that go on without the batches of a shut topic: what is to be said of these. */
  readonly #refused = new Map<Question, readonly Part[]>()
  /** Batches that were refused. */
  refusals = 0

  private constructor(proxy: KafkaProxy) {
    this.#proxy = proxy
    const examine = proxy.examine.bind(proxy)
    const answer = proxy.answer.bind(proxy)
    proxy.examine = async (question, frame, ...rest) => {
      const left = question.apiKey === produceApi ? this.#withoutShut(question, frame) : { frame }
      return 'body' in left ? left : await examine(question, left.frame, ...rest)
    }
    proxy.answer = async (question, body) => {
      const refused = this.#refused.get(question)
      this.#refused.delete(question)
      return answer(question, refused ? joined(body, refuseProduce(refused, throttled, question.version)) : body)
    }
  }

  static async open(options: Omit<ProxyOptions, 'produce'>): Promise<TopicGate> {
    return new TopicGate(await KafkaProxy.open({ ...options, produce: {} }))
  }

  get brokers(): readonly string[] {
    return this.#proxy.brokers
  }

  shut(topic: string): void {
    this.#shut.add(topic)
  }

  open(topic: string): void {
    this.#shut.delete(topic)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#proxy[Symbol.asyncDispose]()
  }

  /** The request without the batches of shut topics; the answer, where nothing is left of it. */
  #withoutShut(question: Question, frame: Buffer): { readonly frame: Buffer } | { readonly body: Buffer } {
    const { head, parts } = readProduce(frame)
    const refused = parts.filter(({ topic }) => this.#shut.has(topic))
    if (refused.length === 0) return { frame }
    this.refusals += refused.length
    if (refused.length === parts.length) return { body: refuseProduce(refused, throttled, question.version) }
    this.#refused.set(question, refused)
    return { frame: writeProduce({ head, parts: parts.filter(({ topic }) => !this.#shut.has(topic)) }) }
  }
}

/** One answer of two, about different topics: [topic …] throttle_time_ms. The first one's wait stays. */
function joined(one: Buffer, other: Buffer): Buffer {
  const count = Buffer.alloc(4)
  count.writeInt32BE(one.readInt32BE(0) + other.readInt32BE(0), 0)
  return Buffer.concat([count, other.subarray(4, -4), one.subarray(4)])
}
