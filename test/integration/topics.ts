import { Kafka, logLevel } from 'kafkajs'
import { readToEnd } from '../sink/kafka/read-to-end.ts'
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
  const standing: Standing[] = []
  await readToEnd(brokers, topics, (topic, partition, { key, value }) => {
    standing.push({ topic, partition, key: String(key), value })
  })
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
