import { Kafka, logLevel } from 'kafkajs'
import { readToEnd } from '../sink/kafka/read-to-end.ts'
import type { Seen } from './history.ts'
import { seenOf } from './topics.ts'

export interface Logged extends Seen {
  /** `deployment/pipeline/slot` */
  readonly source: string
}

/**
 * Everything that was ever seen in one topic, by place, also after retention has removed it: what several pipelines
 * and foreign producers write to it. Read by kafkajs.
 */
export class SharedLog {
  readonly #brokers: readonly string[]
  readonly #kafka: Kafka
  readonly #topic: string
  readonly #records = new Map<number, Map<number, Logged>>()

  constructor(brokers: readonly string[], topic: string) {
    this.#brokers = brokers
    this.#kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
    this.#topic = topic
  }

  /** Records of ours, in the order of each partition. */
  get records(): readonly Logged[] {
    return [...this.#records.values()].flatMap(ofPartition =>
      [...ofPartition].sort(([one], [other]) => one - other).map(([, logged]) => logged),
    )
  }

  /** Adds what stands there now. */
  async read(): Promise<void> {
    await readToEnd(this.#brokers, [this.#topic], (_, partition, { offset, value, headers }) => {
      const source = headers?.['m2k.source']?.toString()
      if (value !== null && source !== undefined) this.#put(partition, Number(offset), source, value)
    })
  }

  /** Foreign records in every partition, some with headers that look like ours. */
  async addForeign(partitions: number): Promise<void> {
    const producer = this.#kafka.producer()
    await producer.connect()
    const headers = { 'm2k.position': Buffer.alloc(20, 255) }
    const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, value: 'foreign', headers }))
    await producer.send({ topic: this.#topic, messages })
    await producer.disconnect()
  }

  /** Removes all but the last `left` records of each partition, as retention does. */
  async retain(left: number): Promise<void> {
    const admin = this.#kafka.admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(this.#topic)
    const partitions = offsets.map(({ partition, high, low }) => ({
      partition,
      offset: String(Math.max(Number(low), Number(high) - left)),
    }))
    await admin.deleteTopicRecords({ topic: this.#topic, partitions })
    await admin.disconnect()
  }

  #put(partition: number, offset: number, source: string, value: Buffer): void {
    const ofPartition = this.#records.get(partition) ?? new Map<number, Logged>()
    this.#records.set(partition, ofPartition)
    ofPartition.set(offset, { ...seenOf(value, partition), source })
  }
}
