import type { EncodedBlock, Encoder } from '../encode/encode.ts'
import { Configuration, PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Meter } from '../meter.ts'
import { windowBytes } from '../record.ts'
import { isTopicName, type Sink, type TopicSpec } from '../sink/sink.ts'
import type { PartitionCounts, Prepare, TimedRun, Watch } from './pipeline.ts'

/** Topics that are created or asked about at the same time. */
const topicsAtOnce = 16

export interface PrepareParts {
  readonly pipeline: string
  readonly encoder: Encoder
  readonly sink: Pick<Sink, 'partitions'>
  readonly counts: PartitionCounts
  /** Topic name with the placeholders {db} and {collection}. */
  readonly topic: string
  readonly spec: TopicSpec
  readonly meter: Meter
  readonly watch: Pick<Watch, 'doing'>
}

/** Encodes each event and gives its records their topic and partition: hash of the key modulo the topic's count (G2). */
export function createPrepare(parts: PrepareParts): Prepare {
  const places = new Places(parts)
  const { encoder, meter, pipeline } = parts
  const encode = async (events: readonly ChangeEvent[], block: EncodedBlock, signal: AbortSignal): Promise<void> => {
    const unplaced: Unplaced[] = []
    for (const event of events) {
      const first = block.count
      encoder.encode(event)
      if (block.count === first) continue
      const place = places.of(event)
      if (place === undefined) unplaced.push({ event, first, end: block.count })
      else placeRecords(block, place, first, block.count)
    }
    if (unplaced.length === 0) return
    await places.firstUse(
      unplaced.map(({ event }) => event),
      signal,
    )
    for (const { event, first, end } of unplaced) placeRecords(block, places.of(event)!, first, end)
  }
  return async (batch, signal) => {
    const block = encoder.begin()
    try {
      await encode(batch.events, block, signal)
    } catch (error) {
      block.release()
      throw error
    }
    countEvents(batch.events, pipeline, meter)
    const bytes = windowBytes(block)
    meter.count('bytes_total', { pipeline }, batch.bytes)
    return {
      records: block,
      recordCount: block.count,
      position: batch.position,
      bytes,
      oldestMs: batch.events[0]?.timestampMs,
      times: timedRuns(block),
      release: () => block.release(),
    }
  }
}

/** Records `first` to `end` of a collection whose topic is used for the first time. */
interface Unplaced {
  readonly event: ChangeEvent
  readonly first: number
  readonly end: number
}

function placeRecords(block: EncodedBlock, { topic, partitionCount }: Place, first: number, end: number): void {
  for (let i = first; i < end; i++) block.place(i, topic, partitionCount)
}

/** One call of the meter for a run of equal operations, not one an event. */
function countEvents(events: readonly ChangeEvent[], pipeline: string, meter: Meter): void {
  const counts = new Map<string, number>()
  for (const { operation } of events) counts.set(operation, (counts.get(operation) ?? 0) + 1)
  for (const [operation, count] of counts) meter.count('events_total', { pipeline, operation }, count)
}

function timedRuns({ timestampsMs, count }: EncodedBlock): TimedRun[] {
  const runs: TimedRun[] = []
  for (let from = 0; from < count; ) {
    const timestampMs = timestampsMs[from]!
    let to = from + 1
    while (to < count && timestampsMs[to] === timestampMs) to += 1
    runs.push({ timestampMs, count: to - from })
    from = to
  }
  return runs
}

interface Place {
  readonly topic: string
  readonly partitionCount: number
}

/** The topics of the pipeline's collections. */
class Places {
  readonly #parts: PrepareParts
  readonly #byCollection = new Map<string, Map<string, Place>>()
  readonly #byTopic = new Map<string, Place>()
  /** Of the last event: changes of one collection stand together. */
  #last: { readonly db: string; readonly collection: string; readonly place: Place } | undefined

  constructor(parts: PrepareParts) {
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

  /** Prepares the topics of `events`, some at a time: a pipeline may begin with hundreds. */
  async firstUse(events: readonly ChangeEvent[], signal: AbortSignal): Promise<void> {
    const { topic: pattern, watch } = this.#parts
    watch.doing('sink')
    const topics = Map.groupBy(events, event => topicOf(pattern, event))
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
async function fixPartitions(
  topic: string,
  { sink, counts, spec }: PrepareParts,
  signal: AbortSignal,
): Promise<number> {
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
  // In one pass: a database may be called {collection}.
  const topic = pattern.replace(/\{(db|collection)\}/g, (_, part: string) =>
    part === 'db' ? event.db : event.collection,
  )
  if (isTopicName(topic)) return topic
  throw new PoisonEvent(
    'SINK_TOPIC_INVALID',
    `${event.db}.${event.collection} at ${event.position}: ${JSON.stringify(topic)} is not a topic name`,
  )
}
