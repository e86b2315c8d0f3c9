import { Configuration, PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import { isTopicName, type Sink, type TopicSpec } from '../sink/sink.ts'
import type { PartitionCounts, Watch } from './pipeline.ts'

/** Topics that are created or asked about at the same time. */
const topicsAtOnce = 16
const topicNameLimit = 249

export interface Place {
  readonly topic: string
  readonly partitionCount: number
}

export interface PlacesParts {
  readonly sink: Pick<Sink, 'partitions'>
  readonly counts: PartitionCounts
  /** The topic of an event. Throws PoisonEvent where there is none. */
  readonly topicOf: (event: ChangeEvent) => string
  readonly spec: TopicSpec
  readonly watch: Pick<Watch, 'doing'>
}

/** The topics of the pipeline's collections. */
export class Places {
  readonly #parts: PlacesParts
  readonly #byCollection = new Map<string, Map<string, Place>>()
  readonly #byTopic = new Map<string, Place>()
  /** Of the last event: changes of one collection stand together. */
  #last: { readonly db: string; readonly collection: string; readonly place: Place } | undefined

  constructor(parts: PlacesParts) {
    this.#parts = parts
  }

  /** undefined where the event is the first of its collection. */
  of({ db, collection }: ChangeEvent): Place | undefined {
    const last = this.#last
    if (last !== undefined && last.collection === collection && last.db === db) return last.place
    const place = this.#byCollection.get(db)?.get(collection)
    if (place !== undefined) this.#last = { db, collection, place }
    return place
  }

  /** Throws PoisonEvent where the event's collection can have no topic. */
  check(event: ChangeEvent): void {
    this.#parts.topicOf(event)
  }

  /** Prepares the topics of `events`, some at a time: a pipeline may begin with hundreds. */
  async firstUse(events: readonly ChangeEvent[], signal: AbortSignal): Promise<void> {
    const { topicOf, watch } = this.#parts
    watch.doing('sink')
    const topics = Map.groupBy(events, topicOf)
    const waiting = [...topics.keys()].filter(topic => !this.#byTopic.has(topic)).values()
    const work = async (): Promise<void> => {
      for (const topic of waiting) {
        this.#byTopic.set(topic, { topic, partitionCount: await fixPartitions(topic, this.#parts, signal) })
      }
    }
    // All must have ended before an error is told: nothing of this attempt may go on behind the next one's back.
    const results = await Promise.allSettled(Array.from({ length: topicsAtOnce }, work))
    for (const result of results) if (result.status === 'rejected') throw result.reason
    for (const [topic, ofTopic] of topics) for (const event of ofTopic) this.#put(event, this.#byTopic.get(topic)!)
    watch.doing('encode')
  }

  #put({ db, collection }: ChangeEvent, place: Place): void {
    const collections = this.#byCollection.get(db) ?? new Map<string, Place>()
    this.#byCollection.set(db, collections.set(collection, place))
  }
}

/** Creates the topic where it is missing and fixes its partition count for good. */
async function fixPartitions(topic: string, { sink, counts, spec }: PlacesParts, signal: AbortSignal): Promise<number> {
  const now = await sink.partitions(topic, spec, signal)
  const before = counts.partitions(topic)
  if (before !== undefined && now < before) {
    throw new Configuration('SINK_TOPIC_MISMATCH', `topic ${topic} has ${now} partitions and had ${before} before`)
  }
  if (before === undefined) await counts.usePartitions(topic, now)
  return before ?? now
}

/** The event's topic. Throws PoisonEvent where the collection's name gives none that Kafka allows. */
export function topicOf(pattern: string, event: Pick<ChangeEvent, 'db' | 'collection' | 'position'>): string {
  const topic = filled(pattern, { db: event.db, collection: event.collection })
  if (isTopicName(topic)) return topic
  throw new PoisonEvent(
    'SINK_TOPIC_INVALID',
    `${event.db}.${event.collection} at ${event.position}: ${JSON.stringify(topic)} is not a topic name`,
  )
}

/**
 * The topic of the event's dead letter, which there is for every event: what Kafka does not allow in the name becomes
 * an underscore, and of a name that is too long the end counts.
 */
export function deadLetterTopicOf(
  pattern: string,
  topicPattern: string,
  event: Pick<ChangeEvent, 'db' | 'collection'>,
): string {
  const { db, collection } = event
  const topic = filled(pattern, { db, collection, topic: filled(topicPattern, { db, collection }) })
  const allowed = topic.replaceAll(/[^a-zA-Z0-9._-]/g, '_').slice(-topicNameLimit)
  return isTopicName(allowed) ? allowed : `_${allowed}`
}

/** Dead-letter topics are as durable as the pipeline's own; their other settings, such as compaction, are not for these. */
export function deadLetterSpec({ partitions, replication, config }: TopicSpec): TopicSpec {
  const kept = Object.entries(config).filter(([name]) => name === 'min.insync.replicas')
  return { partitions, replication, config: Object.fromEntries(kept) }
}

interface Names {
  readonly db: string
  readonly collection: string
  readonly topic?: string
}

/** In one pass: a database may be called {collection}. */
function filled(pattern: string, names: Names): string {
  return pattern.replace(/\{(db|collection|topic)\}/g, (whole, name: keyof Names) => names[name] ?? whole)
}
