import { Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { eventually, within } from '../../waiting.ts'

export interface ReadOptions {
  /** Also what open and aborted transactions have written. */
  readonly uncommitted?: boolean
}

/**
 * Gives all that stands in `topics` now to `see`, in the order of each partition, and each record once. Reads with
 * kafkajs, whose producer and ours have nothing in common.
 */
export async function readToEnd(
  brokers: readonly string[],
  topics: readonly string[],
  see: (topic: string, partition: number, message: KafkaMessage) => void,
  { uncommitted = false }: ReadOptions = {},
): Promise<void> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const ends = await endsOf(kafka, topics)
  if (ends.size === 0) return
  const open = new Set(ends.keys())
  const next = new Map<string, number>()
  const consumer = kafka.consumer({
    groupId: `test-${crypto.randomUUID()}`,
    maxWaitTimeInMs: 100,
    readUncommitted: uncommitted,
  })
  const { promise: done, resolve, reject } = Promise.withResolvers<void>()
  // Not with the records: a fetch may bring nothing but the marker of a commit, of which they are not told.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { topic, partition, lastOffset } }) => {
    const place = placeOf(topic, partition)
    if (Number(lastOffset) + 1 >= (ends.get(place) ?? 0)) open.delete(place)
    if (open.size === 0) resolve()
  })
  consumer.on(consumer.events.CRASH, ({ payload: { restart, error } }) => {
    if (!restart) reject(error) // It reads nothing any more.
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { topic, partition, messages } }) => {
        const place = placeOf(topic, partition)
        for (const message of messages) {
          const offset = Number(message.offset)
          // A consumer that its group has put out meanwhile begins again where it began.
          if (offset < (next.get(place) ?? 0) || offset >= (ends.get(place) ?? 0)) continue
          next.set(place, offset + 1)
          see(topic, partition, message)
        }
      },
    })
    const place = (name: string) => `${name}, at ${next.get(name) ?? 0} of ${ends.get(name)}`
    await within(done, () => `the end of ${[...open].map(place).join('; ')}`)
  } finally {
    await consumer.disconnect()
  }
}

/** Where each partition in which something stands ends. A broker that has just started leads none yet: code 6. */
async function endsOf(kafka: Kafka, topics: readonly string[]): Promise<Map<string, number>> {
  const admin = kafka.admin()
  await admin.connect()
  try {
    const ends = new Map<string, number>()
    for (const topic of topics) {
      const offsets = await eventually(
        () => admin.fetchTopicOffsets(topic).catch(() => undefined),
        `the offsets of ${topic}`,
      )
      for (const { partition, low, high } of offsets) {
        if (Number(high) > Number(low)) ends.set(placeOf(topic, partition), Number(high))
      }
    }
    return ends
  } finally {
    await admin.disconnect()
  }
}

function placeOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}
