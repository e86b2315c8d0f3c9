import type { CompressionTypes, ICustomPartitioner, Message, Producer } from 'kafkajs'
import type { Clock } from '../../../clock.ts'
import { withDeadline } from '../../../deadline.ts'
import { Retryable } from '../../../errors.ts'
import type { Logger } from '../../../log.ts'
import type { OutRecord } from '../../../record.ts'
import { backOffMs } from '../../../retry.ts'
import { protocolCode, verdictOf } from '../classify.ts'
import { ackTimeoutMs, type Client, createClient, requestTimeoutMs } from '../client.ts'
import { throttlingQuotaExceeded } from '../producer/produce-errors.ts'
import type { KafkaSettings, ProducerSettings } from '../settings.ts'
import { compressionType } from './codecs.ts'

const connectLimitMs = 30_000
const closeLimitMs = 3_000
const attemptLimit = 5
const resendBackOff = { initialMs: 100, maxMs: 1_000 }
/** Quotas are counted by the second, or by longer. */
const throttledBackOff = { initialMs: 250, maxMs: 2_000 }
/**
 * Shorter than a request may take: kafkajs does not ask for the leader again after a request that timed out, unless
 * what it knows is that old. Else it would go on sending to a broker that hangs and leads nothing any more.
 */
const metadataMaxAgeMs = requestTimeoutMs - 5_000
/** Partitions are chosen by the caller. */
const explicitPartitions: ICustomPartitioner = () => args => args.message.partition ?? 0

/** Brings the records of one partition at a time to it. The sink never has two sends of a partition outstanding. */
export interface PartitionProducer {
  /**
   * Settles when all in-sync replicas have every record, in order and once. Rejects with the client's error or a Fault.
   * An aborted `ending` rejects with its reason where the target refuses for being given too much: nothing of the batch
   * is there then. What is on the wire it leaves alone.
   */
  send(topic: string, partition: number, records: readonly OutRecord[], ending?: AbortSignal): Promise<void>
  /** Goes on with a new producer id. Only while no send is outstanding. Rejects as `send`. */
  exchange(): Promise<void>
  /** Ends what is under way: no byte reaches a broker afterwards. Takes at most a few seconds. */
  close(): Promise<void>
}

export interface KafkajsProducerOptions {
  readonly settings: KafkaSettings
  readonly producer: ProducerSettings
  /** Without, the target has no producer ids; then nothing is sent twice: a failure leaves open whether it arrived. */
  readonly idempotent: boolean
  readonly log: Logger
  readonly clock: Clock
  readonly onRetry: () => void
  /** Errors by which this target says that it is given too much, besides THROTTLING_QUOTA_EXCEEDED. */
  readonly throttleErrors?: readonly number[]
  /** The target refused a batch because it is given too much, which is waited for. */
  readonly onThrottled?: (waitMs: number) => void
}

/**
 * kafkajs's idempotent producer, kept to what it does right: each send has the records of one partition.
 *
 * Why nothing is lost, repeated or reordered, by kafkajs 2.2.4's `sendMessages`: it takes the partition's next
 * sequence numbers when it writes a request and gives them back when the request fails in whatever way, before it
 * tries again. With one send of the partition outstanding nobody else takes them in between, so that each attempt has
 * the same records with the same numbers, and a broker that has them already knows them by these. Records are grouped
 * by partition before the first attempt, and numbers are counted for each partition by itself, so sends of several
 * partitions may be outstanding together; those to one broker take turns.
 *
 * Rejected: one send with several partitions. kafkajs remembers answers by broker: a leader that moves between two
 * attempts makes it leave records out and yet succeed, or send again, with new numbers, what was already written.
 *
 * Known and dealt with here besides:
 * - Sequence numbers go wrong at 2^31: the sink has the producer exchanged well before.
 * - It keeps a connection on which a request timed out, and lets the other partitions time out there in turn: see
 *   `Client.drop`.
 * - It retries after `disconnect`: see `Client.cut`.
 *
 * Where the target knows no producer ids a second attempt could append twice. There each send is one attempt, and who
 * replays after its failure asks the topic what arrived. A batch that is refused because the target is given too much is
 * sent again all the same, until its time is over: by its answer it was not appended.
 */
export class KafkajsProducer implements PartitionProducer {
  readonly #options: KafkajsProducerOptions
  readonly #compression: CompressionTypes
  #client: Client
  #producer: Producer
  #closed = false

  private constructor(options: KafkajsProducerOptions) {
    this.#options = options
    this.#compression = compressionType(options.producer.compression)
    this.#client = openClient(options)
    this.#producer = createProducer(this.#client, options.idempotent)
  }

  /** A connected producer with a producer id of its own. Rejects with kafkajs's error, or Retryable. */
  static async open(options: KafkajsProducerOptions, signal: AbortSignal): Promise<KafkajsProducer> {
    signal.throwIfAborted()
    const producer = new KafkajsProducer(options)
    await producer.#connect(signal)
    return producer
  }

  async send(topic: string, partition: number, records: readonly OutRecord[], ending?: AbortSignal): Promise<void> {
    const { clock, producer } = this.#options
    const client = this.#client
    await withDeadline(this.#deliver(topic, partition, records, ending), {
      limitMs: producer.deliveryTimeoutMs,
      late: () => lateFault(topic, partition, producer.deliveryTimeoutMs),
      clock,
      onEnd: () => client.cut('a batch was not acknowledged in time'),
    })
  }

  async exchange(): Promise<void> {
    await disconnect(this.#producer, this.#client, this.#options.clock)
    this.#client = openClient(this.#options)
    this.#producer = createProducer(this.#client, this.#options.idempotent)
    if (this.#closed) this.#client.cut('the sink was closed')
    await this.#connect()
    this.#options.log.info({}, 'exchanged the Kafka producer before its sequence numbers run out')
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

  /** Until the answer names the partition. What is sent again is what was sent. */
  async #deliver(
    topic: string,
    partition: number,
    records: readonly OutRecord[],
    ending: AbortSignal | undefined,
  ): Promise<void> {
    const { clock, onRetry, idempotent } = this.#options
    const client = this.#client
    const messages = records.map(toMessage)
    const attempts = idempotent ? attemptLimit : 1
    let refusals = 0
    for (let attempt = 1; ; ) {
      try {
        const answer = await this.#producer.send({
          topic,
          messages,
          acks: -1,
          timeout: ackTimeoutMs,
          compression: this.#compression,
        })
        if (answer.some(({ topicName, partition: answered }) => topicName === topic && answered === partition)) return
        if (attempt >= attempts) throw unanswered(topic, partition)
      } catch (error) {
        if (client.isCut) throw error
        if (this.#isThrottled(error)) {
          refusals += 1
          await this.#waitForQuota(refusals, ending)
          if (client.isCut) throw error
          continue
        }
        if (attempt >= attempts || !isOfTheClient(error)) throw error
      }
      onRetry()
      await clock.sleep(backOffMs(resendBackOff, attempt, clock))
      attempt += 1
    }
  }

  #isThrottled(error: unknown): boolean {
    const code = protocolCode(error)
    const { throttleErrors = [] } = this.#options
    return code === throttlingQuotaExceeded || (code !== undefined && throttleErrors.includes(code))
  }

  async #waitForQuota(refusals: number, ending: AbortSignal | undefined): Promise<void> {
    const { clock, onThrottled } = this.#options
    const waitMs = backOffMs(throttledBackOff, refusals, clock)
    onThrottled?.(waitMs)
    await clock.sleep(waitMs, ending)
  }
}

/** kafkajs gave up by itself, with no answer of a broker: the sequence numbers were given back. */
function isOfTheClient(error: unknown): boolean {
  return protocolCode(error) === undefined && verdictOf(error) === 'unavailable'
}

function lateFault(topic: string, partition: number, limitMs: number): Retryable {
  const message = `topic ${topic}, partition ${partition}: Kafka did not acknowledge a batch within ${limitMs} ms`
  return new Retryable('SINK_UNAVAILABLE', message)
}

function unanswered(topic: string, partition: number): Retryable {
  return new Retryable('SINK_UNAVAILABLE', `Kafka answered without partition ${partition} of topic ${topic}`)
}

function openClient(options: KafkajsProducerOptions): Client {
  return createClient({ ...options, patience: 'for-ever' })
}

function createProducer(client: Client, idempotent: boolean): Producer {
  const producer = client.kafka.producer({
    idempotent,
    ...(!idempotent && { retry: { retries: 0 } }),
    maxInFlightRequests: 1,
    metadataMaxAge: metadataMaxAgeMs,
    allowAutoTopicCreation: false,
    createPartitioner: explicitPartitions,
  })
  producer.on(producer.events.REQUEST_TIMEOUT, ({ payload }) => client.drop(payload.broker, 'a request timed out'))
  return producer
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
