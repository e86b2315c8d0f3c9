import type { EncodedBlock, Encoder } from '../encode/encode.ts'
import { Configuration, PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Meter } from '../meter.ts'
import { windowBytes } from '../record.ts'
import type { Sink, TopicSpec } from '../sink/sink.ts'
import type { Ledger } from './ledger.ts'
import type { Prepare, TimedRun, Watch } from './pipeline.ts'

export interface PrepareParts {
  readonly pipeline: string
  readonly encoder: Encoder
  readonly sink: Pick<Sink, 'partitions'>
  readonly ledger: Pick<Ledger, 'partitions' | 'usePartitions'>
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
    for (const event of events) {
      const first = block.count
      encoder.encode(event)
      if (block.count === first) continue
      const place = places.of(event) ?? (await places.firstUse(event, signal))
      for (let i = first; i < block.count; i++) block.place(i, place.topic, place.partitionCount)
    }
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

  async firstUse(event: ChangeEvent, signal: AbortSignal): Promise<Place> {
    const topic = topicOf(this.#parts.topic, event)
    const place = this.#byTopic.get(topic) ?? { topic, partitionCount: await fixPartitions(topic, this.#parts, signal) }
    this.#byTopic.set(topic, place)
    const collections = this.#byCollection.get(event.db) ?? new Map<string, Place>()
    this.#byCollection.set(event.db, collections.set(event.collection, place))
    return place
  }
}

/** Creates the topic where it is missing and fixes its partition count for good. */
async function fixPartitions(
  topic: string,
  { sink, ledger, spec, watch }: PrepareParts,
  signal: AbortSignal,
): Promise<number> {
  watch.doing('sink')
  const now = await sink.partitions(topic, spec, signal)
  const before = ledger.partitions(topic)
  if (before !== undefined && now < before) {
    throw new Configuration('SINK_TOPIC_MISMATCH', `topic ${topic} has ${now} partitions and had ${before} before`)
  }
  if (before === undefined) await ledger.usePartitions(topic, now)
  watch.doing('encode')
  return before ?? now
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
