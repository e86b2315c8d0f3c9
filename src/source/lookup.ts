import { BSON, Long, type MongoClient } from 'mongodb'
import { findField } from '../bson/walk.ts'
import type { Clock } from '../clock.ts'
import { Retryable } from '../errors.ts'
import type { Span, ValueSpan } from '../event.ts'
import type { Meter } from '../meter.ts'
import type { ClusterTime } from '../position.ts'
import { backOffMs } from '../retry.ts'
import { classify } from './classify.ts'
import { runCommand } from './command.ts'
import { rawCursor, timestamp } from './cursor.ts'
import type { RawEvent } from './raw-event.ts'
import { endOf, parseReply } from './reply.ts'

export interface LookupSettings {
  readonly client: MongoClient
  readonly clock: Clock
  readonly meter: Meter
  readonly deadlineMs: number
}

const maxIds = 1_000
const maxAttempts = 8
const backOff = { initialMs: 200, maxMs: 3_000 }
const idName = Buffer.from('_id')

/** Documents as they are now, by event. */
export type Documents = ReadonlyMap<RawEvent, Span>

/**
 * Looks the documents of `events` up, each id once, a find for every collection and thousand ids, and not before
 * `clusterTime`: a member that lags would give a document that nothing corrects (decision 13). An event that is not in
 * the answer has no document any more. Throws Retryable or Configuration.
 */
export async function lookUp(
  settings: LookupSettings,
  events: readonly RawEvent[],
  clusterTime: ClusterTime,
  signal: AbortSignal,
): Promise<Documents> {
  const documents = new Map<RawEvent, Span>()
  for (const sameCollection of Map.groupBy(events, event => `${event.db}.${event.collection}`).values()) {
    const byId = Map.groupBy(sameCollection, event => keyOf(event.id))
    const ids = [...byId.values()].map(group => group[0]!)
    for (let at = 0; at < ids.length; at += maxIds) {
      const found = await retrying(settings, signal, () =>
        find(settings, ids.slice(at, at + maxIds), clusterTime, signal),
      )
      for (const [id, document] of found) for (const event of byId.get(id) ?? []) documents.set(event, document)
    }
  }
  settings.meter.count('lookups_total', { result: 'found' }, documents.size)
  settings.meter.count('lookups_total', { result: 'missing' }, events.length - documents.size)
  return documents
}

/**
 * The id's own bytes. Two spellings of an equal number count as different here: a document that was deleted and
 * inserted under the other spelling is then "missing" for events before its delete, and the insert brings it.
 */
function keyOf(id: ValueSpan | undefined): string {
  return id ? `${id.type} ${id.bytes.toString('latin1', id.start, id.end)}` : ''
}

/** One find to its end: a reply holds 16 MB at most. The events are of one collection. */
async function find(
  settings: LookupSettings,
  events: readonly RawEvent[],
  clusterTime: ClusterTime,
  signal: AbortSignal,
): Promise<Map<string, Span>> {
  const { client, clock, deadlineMs } = settings
  const { db, collection } = events[0]!
  await using session = client.startSession({ causalConsistency: false })
  const options = { session, raw: true, deadlineMs, clock, signal }
  const documents = new Map<string, Span>()
  const ids = events.map(event => idOf(event))
  let reply = await runCommand(
    client,
    db,
    {
      find: collection,
      filter: { _id: { $in: ids } },
      batchSize: ids.length,
      readConcern: { level: 'majority', afterClusterTime: timestamp(clusterTime) },
    },
    options,
  )
  for (;;) {
    const { cursorId, bytes, eventStarts } = parseReply(rawCursor(reply))
    for (const start of eventStarts) {
      const end = endOf(bytes, start)
      documents.set(keyOf(findField(bytes, start, end, idName)), { bytes, start, end })
    }
    if (cursorId === 0n) return documents
    reply = await runCommand(client, db, { getMore: Long.fromBigInt(cursorId), collection }, options)
  }
}

/** The `_id` as the driver writes it back byte for byte: nothing is promoted to a JavaScript value. */
function idOf(event: RawEvent): unknown {
  const key = event.documentKey
  if (!key) throw new RangeError('update event without documentKey')
  const document = BSON.deserialize(key.bytes.subarray(key.start, key.end), {
    promoteValues: false,
    promoteLongs: false,
    bsonRegExp: true,
  })
  return document._id
}

async function retrying<T>(settings: LookupSettings, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run()
    } catch (error) {
      signal.throwIfAborted()
      const fault = classify(error, 'lookup')
      if (!(fault instanceof Retryable) || attempt === maxAttempts) throw fault
      await settings.clock.sleep(backOffMs(backOff, attempt, settings.clock), signal)
    }
  }
}
