import { CompressionTypes, type ICustomPartitioner, type Message, type Producer, type RecordMetadata } from 'kafkajs'
import type { Clock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { Retryable } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import type { OutRecord } from '../../record.ts'
import type { Carrier } from './carrier.ts'
import { ackTimeoutMs, type Client, createClient } from './client.ts'
import type { KafkaSettings, ProducerSettings } from './settings.ts'

const connectLimitMs = 30_000
const closeLimitMs = 3_000
const resendLimit = 3
/** Partitions are chosen by the caller. */
const explicitPartitions: ICustomPartitioner = () => args => args.message.partition ?? 0

export interface CarrierOptions {
  readonly settings: KafkaSettings
  readonly producer: ProducerSettings
  readonly log: Logger
  readonly clock: Clock
  readonly onRetry: () => void
}

type Topics = ReadonlyMap<string, readonly OutRecord[]>

/**
 * kafkajs's idempotent producer, kept to what it does right. Known and dealt with here:
 * - With several sends outstanding it loses and reorders under faults: the sink has one.
 * - Sequence numbers go wrong at 2^31: the producer is exchanged well before, between two sends.
 * - A leader that moves between two of its attempts makes it leave that partition's records out and yet succeed
 *   (it remembers answers by broker, not by partition): what the answer does not name is sent again. The failed
 *   attempt's sequence numbers were given back, so the broker knows a repeated batch by them.
 * - The same, the other way round, may repeat a batch that was already written: a replayed suffix after a failure (G3).
 * - It retries after `disconnect`: see `Client.cut`.
 */
export class KafkajsCarrier implements Carrier {
  readonly #options: CarrierOptions
  readonly #sent = new Map<string, Map<number, number>>()
  #client: Client
  #producer: Producer
  #closed = false

  private constructor(options: CarrierOptions) {
    this.#options = options
    this.#client = openClient(options)
    this.#producer = createProducer(this.#client)
  }

  /** A connected producer with a producer id of its own. Rejects with kafkajs's error, or Retryable. */
  static async open(options: CarrierOptions, signal: AbortSignal): Promise<KafkajsCarrier> {
    signal.throwIfAborted()
    const carrier = new KafkajsCarrier(options)
    await carrier.#connect(signal)
    return carrier
  }

  async send(topics: Topics): Promise<void> {
    if (this.#wouldOverflow(topics)) await this.#exchange()
    const { producer: settings, clock } = this.#options
    await withDeadline(this.#deliver(topics), {
      limitMs: settings.deliveryTimeoutMs,
      late: () =>
        new Retryable('SINK_UNAVAILABLE', `Kafka did not acknowledge a batch within ${settings.deliveryTimeoutMs} ms`),
      clock,
      onEnd: () => this.#client.cut('a batch was not acknowledged in time'),
    })
    this.#count(topics)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await disconnect(this.#producer, this.#client, this.#options.clock)
  }

  async #connect(signal?: AbortSignal): Promise<void> {
    const client = this.#client
    try {
      await withDeadline(this.#producer.connect(), {
        limitMs: connectLimitMs,
        late: () => new Retryable('SINK_UNAVAILABLE', `Kafka could not be reached within ${connectLimitMs / 1000} s`),
        clock: this.#options.clock,
        signal,
        onEnd: () => client.cut('the producer was given up while it connected'),
      })
    } catch (error) {
      client.cut('the producer could not connect')
      throw error
    }
  }

  async #deliver(topics: Topics): Promise<void> {
    const compression = CompressionTypes[this.#options.producer.compression === 'gzip' ? 'GZIP' : 'None']
    let missing = topics
    for (let attempt = 1; missing.size > 0; attempt += 1) {
      if (attempt > resendLimit) {
        const names = [...missing.keys()].join(', ')
        throw new Retryable('SINK_UNAVAILABLE', `Kafka answered without the partitions of some records of ${names}`)
      }
      if (attempt > 1) this.#options.onRetry()
      const topicMessages = [...missing].map(([topic, records]) => ({ topic, messages: records.map(toMessage) }))
      const answer = await this.#producer.sendBatch({ acks: -1, timeout: ackTimeoutMs, compression, topicMessages })
      missing = unanswered(missing, answer)
    }
  }

  #wouldOverflow(topics: Topics): boolean {
    const limit = this.#options.producer.recordsPerProducer
    for (const [topic, records] of topics) {
      const sent = this.#sent.get(topic)
      if (sent === undefined) continue
      // The whole batch counts for each of its partitions: early is fine.
      for (const { partition } of records) if ((sent.get(partition) ?? 0) + records.length > limit) return true
    }
    return false
  }

  #count(topics: Topics): void {
    for (const [topic, records] of topics) {
      const sent = this.#sent.get(topic) ?? new Map<number, number>()
      this.#sent.set(topic, sent)
      for (const { partition } of records) sent.set(partition, (sent.get(partition) ?? 0) + 1)
    }
  }

  /** Nothing is outstanding now and everything is acknowledged: a new producer id cannot repeat or overtake. */
  async #exchange(): Promise<void> {
    await disconnect(this.#producer, this.#client, this.#options.clock)
    this.#client = openClient(this.#options)
    this.#producer = createProducer(this.#client)
    this.#sent.clear()
    if (this.#closed) this.#client.cut('the sink was closed')
    await this.#connect()
    this.#options.log.info({}, 'exchanged the Kafka producer before its sequence numbers run out')
  }
}

function openClient(options: CarrierOptions): Client {
  return createClient({ ...options, patience: 'for-ever' })
}

function createProducer({ kafka }: Client): Producer {
  return kafka.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: explicitPartitions,
  })
}

/** kafkajs waits for its answers before it closes a connection, which takes for ever where a broker hangs. */
async function disconnect(producer: Producer, client: Client, clock: Clock): Promise<void> {
  const late = () => new Error('disconnecting took too long')
  const onEnd = () => client.cut('the sink was closed')
  try {
    await withDeadline(producer.disconnect(), { limitMs: closeLimitMs, late, clock, onEnd })
  } catch {
    // It is cut; that the farewell failed concerns nobody.
  } finally {
    client.cut('the sink was closed')
  }
}

function toMessage(record: OutRecord): Message {
  return {
    key: record.key,
    value: record.value,
    partition: record.partition,
    headers: record.headers,
    // As text: kafkajs takes the number 0 for no timestamp.
    timestamp: String(Math.max(0, Math.trunc(record.timestampMs))),
  }
}

/** The records whose partition `answer` does not name, in their order. */
function unanswered(topics: Topics, answer: readonly RecordMetadata[]): Topics {
  const answered = new Set(answer.map(({ topicName, partition }) => `${topicName}/${partition}`))
  const missing = new Map<string, readonly OutRecord[]>()
  for (const [topic, records] of topics) {
    const left = records.filter(({ partition }) => !answered.has(`${topic}/${partition}`))
    if (left.length > 0) missing.set(topic, left)
  }
  return missing
}
