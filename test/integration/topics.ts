import { Kafka, logLevel } from 'kafkajs'
import type { Seen } from './history.ts'

interface ChangeValue {
  readonly operationType: string
  readonly ns: { readonly db: string; readonly coll: string }
  readonly documentKey: { readonly _id: number }
  readonly fullDocument?: { readonly v: string }
  readonly fullDocumentBeforeChange?: { readonly v: string }
  readonly updateDescription?: { readonly updatedFields: { readonly v: string } }
}

/** A record as it stands in a topic. */
export interface Standing {
  readonly topic: string
  readonly partition: number
  readonly key: string
  /** null: a tombstone. */
  readonly value: Buffer | null
}

/** Everything that stands in the topics now, in the order of each partition; tombstones are passed over. */
export async function readTopics(brokers: readonly string[], topics: readonly string[]): Promise<Seen[]> {
  const standing = await readStanding(brokers, topics)
  return standing.flatMap(({ value, partition }) => (value === null ? [] : [seenOf(value, partition)]))
}

/** The same as it stands there. */
export async function readStanding(brokers: readonly string[], topics: readonly string[]): Promise<Standing[]> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const open = new Map<string, number>()
  for (const topic of topics) {
    for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
      if (Number(high) > Number(low)) open.set(`${topic}-${partition}`, Number(high))
    }
  }
  await admin.disconnect()
  const standing: Standing[] = []
  if (open.size === 0) return standing
  const next = new Map<string, number>()
  const consumer = kafka.consumer({ groupId: `test-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 })
  await consumer.connect()
  try {
    await consumer.subscribe({ topics: [...topics], fromBeginning: true })
    const { promise: done, resolve } = Promise.withResolvers<void>()
    await consumer.run({
      eachBatch: async ({ batch }) => {
        const key = `${batch.topic}-${batch.partition}`
        if (!open.has(key)) return
        const { topic, partition } = batch
        for (const { key: name, value, offset } of batch.messages) {
          // A consumer that its group has put out meanwhile begins again where it began.
          if (Number(offset) < (next.get(key) ?? 0)) continue
          next.set(key, Number(offset) + 1)
          standing.push({ topic, partition, key: String(name), value })
        }
        if (Number(batch.lastOffset()) + 1 >= (open.get(key) ?? 0)) open.delete(key)
        if (open.size === 0) resolve()
      },
    })
    await done
  } finally {
    await consumer.disconnect()
  }
  return standing
}

export function seenOf(value: Buffer, partition: number): Seen {
  const event = JSON.parse(value.toString()) as ChangeValue
  const document = `${event.ns.db}.${event.ns.coll}/${event.documentKey._id}`
  return { document, change: changeOf(event), partition }
}

/** The version that the change itself carries: an update's document may be a later one. */
function changeOf(event: ChangeValue): string {
  switch (event.operationType) {
    case 'delete':
      return `deleted ${event.fullDocumentBeforeChange?.v}`
    case 'update':
      return String(event.updateDescription?.updatedFields.v)
    default:
      return String(event.fullDocument?.v)
  }
}

/** How many records stand in the topics; 0 where they do not exist yet. */
export async function countRecords(brokers: readonly string[], topics: readonly string[]): Promise<number> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
  const admin = kafka.admin()
  try {
    await admin.connect()
    let count = 0
    for (const topic of topics) {
      for (const { low, high } of await admin.fetchTopicOffsets(topic)) count += Number(high) - Number(low)
    }
    return count
  } catch {
    return 0 // The broker or the topic is not there; the caller asks again.
  } finally {
    await admin.disconnect()
  }
}
