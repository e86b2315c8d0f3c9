import { CompressionTypes, type Producer } from 'kafkajs'
import { Retryable } from '../errors.ts'
import { checkpointFault, type KafkaAccess, type KafkaConnection, within } from './kafka-connection.ts'

const connectLimitMs = 30_000
const defaultSaveLimitMs = 30_000
const ackTimeoutMs = 10_000
const closeLimitMs = 3_000
/** kafkajs counts sequence numbers wrongly at 2^31. */
const recordsPerProducer = 2 ** 30

export interface KeyedRecord {
  readonly key: string
  readonly partition: number
  readonly bytes: Buffer
}

/** Writes records durably, one send at a time, in call order. After a failure the producer is a new one. */
export class KafkaWriter {
  readonly #access: KafkaAccess
  readonly #topic: string
  #open: { readonly producer: Producer; readonly connection: KafkaConnection } | undefined
  #written = 0
  #last: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(access: KafkaAccess, topic: string) {
    this.#access = access
    this.#topic = topic
  }

  /** Offset of the last of `records` in each partition. Throws Retryable CHECKPOINT_UNAVAILABLE or Configuration. */
  write(records: readonly KeyedRecord[], signal?: AbortSignal): Promise<Map<number, number>> {
    const written = this.#last.then(() => this.#write(records, signal))
    this.#last = written.catch(() => {}) // Its caller hears of it.
    return written
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#discard()
  }

  async #write(records: readonly KeyedRecord[], signal?: AbortSignal): Promise<Map<number, number>> {
    signal?.throwIfAborted()
    if (this.#closed) throw new Retryable('CHECKPOINT_UNAVAILABLE', 'the checkpoint store was closed')
    const action = `save checkpoints to topic ${this.#topic}`
    try {
      if (this.#written > recordsPerProducer) await this.#discard()
      this.#open ??= this.#create()
      const { producer, connection } = this.#open
      const options = { access: this.#access, connection, ...(signal && { signal }) }
      if (this.#written === 0) await within(producer.connect(), connectLimitMs, action, options)
      this.#written += records.length
      const { saveLimitMs = defaultSaveLimitMs } = this.#access
      return await within(this.#send(producer, records), saveLimitMs, action, options)
    } catch (error) {
      await this.#discard()
      signal?.throwIfAborted()
      throw checkpointFault(this.#access, error, action)
    }
  }

  #create(): { producer: Producer; connection: KafkaConnection } {
    const connection = this.#access.connect('for-ever')
    const producer = connection.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: () => args => args.message.partition ?? 0,
    })
    return { producer, connection }
  }

  async #send(producer: Producer, records: readonly KeyedRecord[]): Promise<Map<number, number>> {
    const messages = records.map(({ key, partition, bytes }) => ({ key, partition, value: bytes }))
    const topicMessages = [{ topic: this.#topic, messages }]
    const options = { acks: -1, timeout: ackTimeoutMs, compression: CompressionTypes.None }
    const answer = await producer.sendBatch({ ...options, topicMessages })
    const last = new Map<number, number>()
    for (const { partition, baseOffset } of answer) {
      const count = records.filter(record => record.partition === partition).length
      last.set(partition, Number(baseOffset) + count - 1)
    }
    // kafkajs leaves out what it did not send when a leader moves between two of its attempts.
    if (records.every(({ partition }) => last.has(partition))) return last
    throw new Retryable('CHECKPOINT_UNAVAILABLE', `topic ${this.#topic}: not every partition answered`)
  }

  async #discard(): Promise<void> {
    const open = this.#open
    this.#open = undefined
    this.#written = 0
    if (open === undefined) return
    const { producer, connection } = open
    await within(producer.disconnect(), closeLimitMs, 'disconnect', { access: this.#access, connection }).catch(
      () => {},
    )
    connection.cut('the checkpoint producer is done')
  }
}
