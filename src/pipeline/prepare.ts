import type { Encoder } from '../encode/encode.ts'
import { Configuration, PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Meter } from '../meter.ts'
import { type OutRecord, recordBytes } from '../record.ts'
import type { Sink, TopicSpec } from '../sink/sink.ts'
import type { Ledger } from './ledger.ts'
import type { Prepare } from './pipeline.ts'

export interface PrepareParts {
  readonly pipeline: string
  readonly encoder: Encoder
  readonly sink: Pick<Sink, 'partitions'>
  readonly ledger: Pick<Ledger, 'partitions' | 'usePartitions'>
  /** Topic name with the placeholders {db} and {collection}. */
  readonly topic: string
  readonly spec: TopicSpec
  readonly meter: Meter
}

/** Encodes each event and gives its records their topic and partition: hash of the key modulo the topic's count (G2). */
export function createPrepare(parts: PrepareParts): Prepare {
  const topics = new Map<string, number>()
  const { encoder, meter, pipeline } = parts
  return async (batch, signal) => {
    const records: OutRecord[] = []
    let bytes = 0
    for (const event of batch.events) {
      const encoded = encoder.encode(event)
      meter.count('events_total', { pipeline, operation: event.operation })
      if (encoded.length === 0) continue
      const topic = topicOf(parts.topic, event)
      const count = topics.get(topic) ?? (await firstUse(topic, topics, parts, signal))
      for (const { keyHash, ...record } of encoded) {
        records.push({ ...record, topic, partition: keyHash % count })
        bytes += recordBytes(record)
      }
    }
    meter.count('bytes_total', { pipeline }, bytes)
    return { records, position: batch.position, bytes, oldestMs: batch.events[0]?.timestampMs }
  }
}

/** Creates the topic where it is missing and fixes its partition count for good. */
async function firstUse(
  topic: string,
  topics: Map<string, number>,
  { sink, ledger, spec }: PrepareParts,
  signal: AbortSignal,
): Promise<number> {
  const now = await sink.partitions(topic, spec, signal)
  const before = ledger.partitions(topic)
  if (before !== undefined && now < before) {
    throw new Configuration('SINK_TOPIC_MISMATCH', `topic ${topic} has ${now} partitions and had ${before} before`)
  }
  if (before === undefined) await ledger.usePartitions(topic, now)
  const count = before ?? now
  topics.set(topic, count)
  return count
}

const legalTopic = /^[a-zA-Z0-9._-]{1,249}$/

/** The event's topic. Throws PoisonEvent where the collection's name gives none that Kafka allows. */
export function topicOf(pattern: string, event: Pick<ChangeEvent, 'db' | 'collection' | 'position'>): string {
  const topic = pattern.replaceAll('{db}', () => event.db).replaceAll('{collection}', () => event.collection)
  if (legalTopic.test(topic) && topic !== '.' && topic !== '..') return topic
  throw new PoisonEvent(
    'SINK_TOPIC_INVALID',
    `${event.db}.${event.collection} at ${event.position}: ${JSON.stringify(topic)} is not a topic name`,
  )
}
