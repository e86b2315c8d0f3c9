import { Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import type { Clock } from '../clock.ts'

/** A record as the tail shows it. */
export interface TailRecord {
  readonly topic: string
  readonly partition: number
  readonly key: string
  /** Header `m2k.op`; `?` without one. */
  readonly operation: string
  /** undefined is a tombstone. */
  readonly value: string | undefined
}

const topicPollMs = 200

/**
 * Reads `topics` from their beginning and gives every record to `onRecord`, until `stop` aborts. A topic may come
 * later than its reader; since a kafkajs consumer cannot take up topics while it runs, each has one of its own.
 */
export async function tailTopics(
  brokers: readonly string[],
  topics: readonly string[],
  onRecord: (record: TailRecord) => void,
  { clock, stop }: { readonly clock: Clock; readonly stop: AbortSignal },
): Promise<void> {
  const kafka = new Kafka({ clientId: 'mongo2kafka-demo', brokers: [...brokers], logLevel: logLevel.NOTHING })
  await using stack = new AsyncDisposableStack()
  const admin = stack.adopt(kafka.admin(), client => client.disconnect())
  await admin.connect()
  const awaited = new Set(topics)
  while (!stop.aborted) {
    const present = awaited.size > 0 ? await admin.listTopics() : []
    for (const topic of present.filter(name => awaited.has(name))) {
      awaited.delete(topic)
      const consumer = kafka.consumer({ groupId: `mongo2kafka-demo-${topic}`, maxWaitTimeInMs: 100 })
      stack.defer(() => consumer.disconnect())
      await consumer.connect()
      await consumer.subscribe({ topics: [topic], fromBeginning: true })
      await consumer.run({ eachMessage: async ({ partition, message }) => onRecord(shown(topic, partition, message)) })
    }
    await clock.sleep(topicPollMs, stop).catch(() => {})
  }
}

function shown(topic: string, partition: number, message: KafkaMessage): TailRecord {
  return {
    topic,
    partition,
    key: message.key?.toString() ?? '',
    operation: message.headers?.['m2k.op']?.toString() ?? '?',
    value: message.value?.toString(),
  }
}
