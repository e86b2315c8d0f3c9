import { BSON, MongoClient } from 'mongodb'
import { systemClock } from '../../src/clock.ts'
import type { ChangeBatch, ChangeEvent, Span } from '../../src/event.ts'
import { silentLogger } from '../../src/log.ts'
import { type CounterName, type Labels, type Meter, silentMeter } from '../../src/meter.ts'
import type { Position } from '../../src/position.ts'
import { type Mongo, type MongoOptions, openMongo } from '../../src/source/mongo.ts'
import type { Selection, Source } from '../../src/source/source.ts'

/** Far beyond what any step takes: a hanging test ends with a reason. */
export const patience = () => AbortSignal.timeout(240_000)

let databases = 0
/** A name that no other test file or run uses. */
export function freshDatabase(prefix: string): string {
  databases++
  return `${prefix}_${process.pid}_${databases}`
}

export class CountingMeter implements Meter {
  readonly counts = new Map<string, number>()
  count(name: CounterName, labels: Labels, by = 1): void {
    const key = [name, ...Object.values(labels)].join(' ')
    this.counts.set(key, (this.counts.get(key) ?? 0) + by)
  }
  gauge = silentMeter.gauge
  observe = silentMeter.observe
}

export function selection(pipeline: string, collections: readonly string[], rest: Partial<Selection> = {}): Selection {
  return {
    pipeline,
    slot: { index: 0, count: 1 },
    collections,
    filter: undefined,
    fullDocument: 'default',
    fullDocumentBeforeChange: 'default',
    ...rest,
  }
}

export interface Lab extends AsyncDisposable {
  readonly client: MongoClient
  readonly mongo: Mongo
  readonly meter: CountingMeter
}

/** The source under test and a client of the test's own, on one deployment. */
export async function openLab(uri: string, options: Partial<MongoOptions> = {}): Promise<Lab> {
  const meter = new CountingMeter()
  const mongo = await openMongo({ uri, clock: systemClock, log: silentLogger, meter, ...options }, patience())
  const client = new MongoClient(uri)
  return {
    client,
    mongo,
    meter,
    async [Symbol.asyncDispose]() {
      await mongo[Symbol.asyncDispose]()
      await client.close()
    },
  }
}

export function decode(span: Span | undefined): BSON.Document | undefined {
  return span && BSON.deserialize(span.bytes.subarray(span.start, span.end), { promoteValues: false })
}

/** What a test compares: operation, id, documents and label, as relaxed Extended JSON. */
export function summary(event: ChangeEvent): string {
  const show = (document: BSON.Document | undefined) => (document ? BSON.EJSON.stringify(document) : '-')
  return `${event.operation} ${show(decode(event.documentKey)?._id)} ${event.label} ${show(decode(event.after))} ${show(decode(event.before))}`
}

export function ids(events: readonly ChangeEvent[]): string[] {
  return events.map(event => BSON.EJSON.stringify(decode(event.documentKey)?._id))
}

/** Reads until `count` events are there; the position is that after the last batch. */
export async function take(
  source: Source,
  from: Position,
  count: number,
): Promise<{ events: ChangeEvent[]; position: Position; batches: ChangeBatch[] }> {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, patience()])
  const events: ChangeEvent[] = []
  const batches: ChangeBatch[] = []
  let position = from
  for await (const batch of source.read(from, signal)) {
    batches.push(batch)
    events.push(...batch.events)
    position = batch.position
    if (events.length >= count) break
  }
  stop.abort()
  return { events, position, batches }
}

/** The change streams that are open on `db` alone. */
export async function streamsOpen(lab: Lab, db: string): Promise<number> {
  const stages = [{ $currentOp: { idleCursors: true, allUsers: true, idleConnections: true } }]
  const operations = await lab.client.db('admin').aggregate(stages).toArray()
  const cursors = operations.filter(({ cursor }) => cursor?.tailable && cursor.originatingCommand?.aggregate)
  return cursors.filter(operation => String(operation.ns).startsWith(db)).length
}

/** Reads in the background until `stop`; the events arrive in `events`. */
export function follow(source: Source, from: Position) {
  const stop = new AbortController()
  const events: ChangeEvent[] = []
  let position = from
  let batches = 0
  const reading = (async () => {
    for await (const batch of source.read(from, stop.signal)) {
      events.push(...batch.events)
      position = batch.position
      batches++
    }
  })()
  return {
    events,
    /** How many there have been, those without events too. */
    get batches() {
      return batches
    },
    get position() {
      return position
    },
    stop: async () => {
      stop.abort()
      await reading
    },
  }
}

/** Inserts the ids `from` to `to - 1`. */
export const inserted = (lab: Lab, db: string, collection: string, from: number, to: number) =>
  lab.client
    .db(db)
    .collection<{ _id: number }>(collection)
    .insertMany(Array.from({ length: to - from }, (_, i) => ({ _id: from + i })))

/** The ids `from` to `to - 1` as `ids` shows them. */
export const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i))
