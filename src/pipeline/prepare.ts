import type { EncodedBlock, Encoder } from '../encode/encode.ts'
import { PoisonEvent } from '../errors.ts'
import type { ChangeEvent } from '../event.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import { windowBytes } from '../record.ts'
import type { Sink, TopicSpec } from '../sink/sink.ts'
import type { PartitionCounts, Prepare, TimedRun, Watch } from './pipeline.ts'
import { deadLetterSpec, deadLetterTopicOf, type Place, Places, topicOf } from './places.ts'
import type { OnError, VerdictsAhead } from './verdicts.ts'

export interface PrepareParts {
  readonly pipeline: string
  readonly encoder: Encoder
  readonly sink: Pick<Sink, 'partitions'>
  readonly counts: PartitionCounts
  /** Topic name with the placeholders {db} and {collection}. */
  readonly topic: string
  readonly spec: TopicSpec
  readonly onError: OnError
  /** What the sink has refused before. */
  readonly verdicts: VerdictsAhead
  readonly meter: Meter
  readonly log: Pick<Logger, 'warn'>
  readonly watch: Pick<Watch, 'doing'>
}

/** Encodes each event and gives its records their topic and partition: hash of the key modulo the topic's count (G2). */
export function createPrepare(parts: PrepareParts): Prepare {
  const appender = new Appender(parts)
  const { encoder, meter, pipeline } = parts
  return async (batch, signal) => {
    const block = encoder.begin()
    try {
      const areJudged = parts.verdicts.enter(batch.position)
      for (const event of batch.events) appender.append(event, block, areJudged)
      await appender.placeAll(block, signal)
    } catch (error) {
      appender.forget()
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

/** Puts the records of one event after the other into a block, or what takes their place. */
class Appender {
  readonly #parts: PrepareParts
  readonly #places: Places
  readonly #deadLetterPlaces: Places
  /** Of this batch, in topics that are used for the first time. */
  #unplaced: Unplaced[] = []

  constructor(parts: PrepareParts) {
    const { topic, spec, onError } = parts
    this.#parts = parts
    this.#places = new Places({ ...parts, topicOf: event => topicOf(topic, event) })
    this.#deadLetterPlaces = new Places({
      ...parts,
      topicOf: event => deadLetterTopicOf(onError.deadLetterTopic, topic, event),
      spec: deadLetterSpec(spec),
    })
  }

  append(event: ChangeEvent, block: EncodedBlock, areJudged: boolean): void {
    const first = block.count
    try {
      const refused = event.poison ?? (areJudged ? this.#parts.verdicts.of(event.position) : undefined)
      if (refused !== undefined) throw refused
      this.#parts.encoder.encode(event)
      this.#place(event, block, first, this.#places)
    } catch (error) {
      if (!(error instanceof PoisonEvent)) throw error
      block.cut(first)
      this.#appendInstead(event, block, error)
    }
  }

  /** What has no place yet gets one; waits for the topics. */
  async placeAll(block: EncodedBlock, signal: AbortSignal): Promise<void> {
    const unplaced = this.#unplaced
    if (unplaced.length === 0) return
    this.#unplaced = []
    for (const places of new Set(unplaced.map(each => each.places))) {
      const events = unplaced.filter(each => each.places === places).map(({ event }) => event)
      await places.firstUse(events, signal)
    }
    for (const { event, places, first, end } of unplaced) placeRecords(block, places.of(event)!, first, end)
  }

  /** After a failure in the middle of a batch. */
  forget(): void {
    this.#unplaced = []
  }

  #place(event: ChangeEvent, block: EncodedBlock, first: number, places: Places): void {
    const end = block.count
    if (end === first) return
    const place = places.of(event)
    if (place !== undefined) {
      placeRecords(block, place, first, end)
      return
    }
    places.check(event) // Who can have no topic is told while another record can still take the place.
    this.#unplaced.push({ event, places, first, end })
  }

  /** Throws `why` where the pipeline is to stop at such an event. */
  #appendInstead(event: ChangeEvent, block: EncodedBlock, why: PoisonEvent): void {
    const { onError, pipeline, encoder, meter, log } = this.#parts
    const { reason, code } = why
    const choice = onError[reason]
    if (choice === 'fail') throw why
    const { db, collection, operation, position } = event
    const fields = { code, reason, collection: `${db}.${collection}`, operation, position: String(position) }
    if (choice === 'skip') {
      meter.count('skipped_events_total', { pipeline, reason })
      log.warn(fields, `an event is skipped: ${why.message}`)
      return
    }
    const first = block.count
    encoder.encodeDeadLetter(event, why)
    this.#place(event, block, first, this.#deadLetterPlaces)
    meter.count('dead_letters_total', { pipeline, reason })
    log.warn(fields, `an event goes to the dead letters: ${why.message}`)
  }
}

/** Records `first` to `end` of a collection whose topic is used for the first time. */
interface Unplaced {
  readonly event: ChangeEvent
  readonly places: Places
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
