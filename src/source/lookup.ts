import { BSON, Long, type MongoClient, ObjectId } from 'mongodb'
import { OBJECT_ID } from '../bson/types.ts'
import { findField } from '../bson/walk.ts'
import type { Clock } from '../clock.ts'
import { Retryable } from '../errors.ts'
import type { Span, ValueSpan } from '../event.ts'
import type { Meter } from '../meter.ts'
import type { ClusterTime } from '../position.ts'
import { backOffMs } from '../retry.ts'
import { BatchSize } from './batch-size.ts'
import { classify } from './classify.ts'
import { runCommand } from './command.ts'
import { rawCursor, timestamp } from './cursor.ts'
import type { Namespace, RawEvent } from './raw-event.ts'
import { endOf, parseReply } from './reply.ts'

export interface LookupSettings {
  readonly client: MongoClient
  readonly clock: Clock
  readonly meter: Meter
  readonly deadlineMs: number
}

/** A document that is looked up once for all events of a slice that concern it. */
export interface Wanted {
  readonly id: unknown
  /** undefined: there is none any more. */
  document: Span | undefined
}

/** Consecutive events, `events[start, end)` of their batch, with what they wanted looked up. */
export interface Slice {
  readonly start: number
  readonly end: number
  /** By index in the batch; undefined for an event that wants nothing. */
  readonly wanted: readonly (Wanted | undefined)[]
}

/** Documents by the bytes of their id, for each collection. */
type Asked = Map<Namespace, Map<string, Wanted>>

const sliceBytes = 4_000_000
const maxIds = 1_000
/** Finds on different collections at the same time: each waits for the network more than it works. */
const maxFinds = 4
const maxAttempts = 8
const backOff = { initialMs: 200, maxMs: 3_000 }
const killDeadlineMs = 2_000
const idName = Buffer.from('_id')

/** Looks documents up for the updates of one pipeline (decision 13). */
export class Lookup {
  readonly #settings: LookupSettings
  readonly #size = new BatchSize(sliceBytes, maxIds)

  constructor(settings: LookupSettings) {
    this.#settings = settings
  }

  /**
   * The batch in slices whose documents have about 4 MB together: a batch of updates may want gigabytes (G7). Each id
   * of a slice is looked up once, and not before the slice's last event: a member that lags would give a document that
   * nothing corrects. Throws Retryable or Configuration.
   */
  async *slices(
    events: readonly RawEvent[],
    wants: (event: RawEvent) => boolean,
    signal: AbortSignal,
  ): AsyncGenerator<Slice, void, undefined> {
    let start = 0
    do {
      const { slice, asked } = cut(events, start, wants, this.#size.events)
      if (asked.size > 0) {
        const clusterTime = events[slice.end - 1]!.position.clusterTime
        // Too much at once: a smaller slice, of the size that the answer showed.
        if (!(await this.#find(asked, clusterTime, signal))) continue
        this.#count(slice)
      }
      start = slice.end
      yield slice
    } while (start < events.length)
  }

  /** Fills `asked`; false where it is more than may be held. */
  async #find(asked: Asked, clusterTime: ClusterTime, signal: AbortSignal): Promise<boolean> {
    const groups = [...asked]
    let [documents, bytes, whole] = [0, 0, true]
    for (let at = 0; at < groups.length && whole; at += maxFinds) {
      const finds = groups.slice(at, at + maxFinds).map(([namespace, wanted]) => {
        return retrying(this.#settings, signal, () => find(this.#settings, namespace, wanted, clusterTime, signal))
      })
      for (const found of await Promise.all(finds)) {
        documents += found.documents
        bytes += found.bytes
        whole &&= found.whole
      }
      const last = at + maxFinds >= groups.length
      if (bytes > sliceBytes && !last) whole = false
    }
    // Of documents that are gone, bytes come to nothing: they count as asked for. Where the answer was cut, what came.
    const ids = groups.reduce((sum, [, wanted]) => sum + wanted.size, 0)
    this.#size.received(whole ? ids : documents, bytes)
    return whole
  }

  #count({ start, end, wanted }: Slice): void {
    let [found, missing] = [0, 0]
    for (let i = start; i < end; i++) {
      const one = wanted[i]
      if (one?.document) found++
      else if (one) missing++
    }
    this.#settings.meter.count('lookups_total', { result: 'found' }, found)
    this.#settings.meter.count('lookups_total', { result: 'missing' }, missing)
  }
}

/** The events from `start` on that want at most `limit` different documents. */
function cut(
  events: readonly RawEvent[],
  start: number,
  wants: (event: RawEvent) => boolean,
  limit: number,
): { readonly slice: Slice; readonly asked: Asked } {
  const asked: Asked = new Map()
  const wanted: (Wanted | undefined)[] = []
  let ids = 0
  let end = start
  for (; end < events.length; end++) {
    const event = events[end]!
    if (!wants(event) || !hasReadableId(event)) continue
    const documents = asked.get(event.namespace)
    const key = keyOf(event.id)
    let one = documents?.get(key)
    if (!one) {
      if (ids === limit) break
      ids++
      one = { id: idOf(event), document: undefined }
      if (documents) documents.set(key, one)
      else asked.set(event.namespace, new Map([[key, one]]))
    }
    wanted[end] = one
  }
  return { slice: { start, end, wanted }, asked }
}

/** Without, there is nothing to look up: what is to become of such an event the encoder finds, where it wants its id. */
function hasReadableId(event: RawEvent): boolean {
  try {
    return event.id !== undefined
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/**
 * The id's own bytes. Two spellings of an equal number count as different here: a document that was deleted and
 * inserted under the other spelling is then "missing" for events before its delete, and the insert brings it.
 */
function keyOf(id: ValueSpan | undefined): string {
  return id ? String.fromCharCode(id.type) + id.bytes.toString('latin1', id.start, id.end) : ''
}

interface Found {
  readonly documents: number
  readonly bytes: number
  /** Whether the reply, which has 16 MB at most, holds all that was asked for. */
  readonly whole: boolean
}

async function find(
  settings: LookupSettings,
  { db, collection }: Namespace,
  wanted: ReadonlyMap<string, Wanted>,
  clusterTime: ClusterTime,
  signal: AbortSignal,
): Promise<Found> {
  const { client, clock, deadlineMs } = settings
  const database = client.db(db)
  const command = {
    find: collection,
    filter: { _id: { $in: Array.from(wanted.values(), ({ id }) => id) } },
    // One more than can come: with the very number MongoDB would keep the cursor open.
    batchSize: wanted.size + 1,
    readConcern: { level: 'majority', afterClusterTime: timestamp(clusterTime) },
  }
  await using session = client.startSession({ causalConsistency: false })
  const reply = await runCommand(database, command, { session, raw: true, deadlineMs, clock, signal })
  const { cursorId, bytes, eventStarts } = parseReply(rawCursor(reply))
  for (const start of eventStarts) {
    const end = endOf(bytes, start)
    const one = wanted.get(keyOf(findField(bytes, start, end, idName)))
    if (one) one.document = { bytes, start, end }
  }
  if (cursorId !== 0n) {
    const kill = { killCursors: collection, cursors: [Long.fromBigInt(cursorId)] }
    await runCommand(database, kill, { session, raw: false, deadlineMs: killDeadlineMs, clock, signal })
  }
  return { documents: eventStarts.length, bytes: bytes.length, whole: cursorId === 0n }
}

/** The `_id` as the driver writes it back byte for byte: nothing is promoted to a JavaScript value. */
function idOf(event: RawEvent): unknown {
  const { id, documentKey: key } = event
  if (!id || !key) throw new RangeError('update event without the _id of its document')
  if (id.type === OBJECT_ID) return new ObjectId(id.bytes.subarray(id.start, id.end)) // The usual, at half the cost.
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
