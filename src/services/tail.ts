import { Kafka, logLevel } from 'kafkajs'

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

/** Reads `topics` from their beginning and gives every record to `onRecord`, until it is disposed. */
export async function tailTopics(
  brokers: readonly string[],
  topics: readonly string[],
  onRecord: (record: TailRecord) => void,
): Promise<AsyncDisposable> {
  const kafka = new Kafka({ clientId: 'mongo2kafka-demo', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({ groupId: 'mongo2kafka-demo', maxWaitTimeInMs: 100 })
  await consumer.connect()
  await consumer.subscribe({ topics: [...topics], fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ topic, partition, message }) => {
      onRecord({
        topic,
        partition,
        key: message.key?.toString() ?? '',
        operation: message.headers?.['m2k.op']?.toString() ?? '?',
        value: message.value?.toString(),
      })
    },
  })
  return { [Symbol.asyncDispose]: () => consumer.disconnect() }
}
