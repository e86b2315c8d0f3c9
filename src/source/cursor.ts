import { BSON, type ClientSession, type Db, type Document, Long, type MongoClient, Timestamp } from 'mongodb'
import type { Clock } from '../clock.ts'
import { keepListening } from '../deadline.ts'
import type { ClusterTime, Position } from '../position.ts'
import { runCommand } from './command.ts'
import { type LargeEvent, slimmed } from './large-event.ts'
import type { Scope } from './match.ts'
import { type CursorReply, parseReply } from './reply.ts'

/** What the server is asked to put into the events. */
export interface StreamImages {
  readonly after: 'default' | 'whenAvailable' | 'updateLookup'
  readonly before: 'default' | 'whenAvailable'
}

export interface CursorSettings {
  readonly client: MongoClient
  readonly clock: Clock
  readonly scope: Scope
  readonly images: StreamImages
  readonly filter: Readonly<Record<string, unknown>> | undefined
  /** Events that are to come without their documents, because MongoDB cannot send them whole. */
  readonly large?: readonly LargeEvent[]
  /** How long the server waits for an event before it answers with an empty batch. */
  readonly awaitMs: number
}

/** Where a stream starts: after a position (its token, where it has one to resume), or at a cluster time, inclusive. */
export type Start =
  | { readonly kind: 'token'; readonly position: Position }
  | { readonly kind: 'time'; readonly clusterTime: ClusterTime }

const killDeadlineMs = 2_000

/** A change-stream cursor on the server: aggregate, getMore, killCursors, all on one session. */
export class ChangeStreamCursor implements AsyncDisposable {
  readonly #settings: CursorSettings
  readonly #session: ClientSession
  /** Kept: the driver makes it anew, with all its options, for everyone who asks. */
  readonly #db: Db
  readonly #closing = new AbortController()
  /** Aborts everything of this cursor. */
  readonly #signal: AbortSignal
  #cursorId = 0n

  private constructor(settings: CursorSettings, signal: AbortSignal) {
    this.#settings = settings
    this.#signal = AbortSignal.any([signal, this.#closing.signal])
    keepListening(this.#signal)
    this.#db = settings.client.db(databaseOf(settings.scope))
    // Our reads are ordered by the token; afterClusterTime would only make a getMore wait.
    this.#session = settings.client.startSession({ causalConsistency: false })
  }

  /**
   * Opens with batchSize 0, so that no event is in a reply that a failing open throws away. Also gives the primary's
   * operationTime. Throws what the driver throws.
   */
  static async open(
    settings: CursorSettings,
    start: Start,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly cursor: ChangeStreamCursor; readonly operationTime: ClusterTime }> {
    const cursor = new ChangeStreamCursor(settings, signal)
    try {
      const command = openCommand(settings, start)
      const reply = await cursor.#run(command, deadlineMs)
      cursor.#cursorId = parseReply(rawCursor(reply)).cursorId
      return { cursor, operationTime: operationTimeOf(reply) }
    } catch (error) {
      await cursor[Symbol.asyncDispose]()
      throw error
    }
  }

  /**
   * The next batch, of `batchEvents` events at most; empty after `awaitMs` without events. Throws what the driver throws,
   * SOURCE_STALLED at the deadline.
   */
  async more(batchEvents: number, deadlineMs: number): Promise<CursorReply> {
    const { awaitMs, scope } = this.#settings
    const command = {
      getMore: Long.fromBigInt(this.#cursorId),
      collection: scope.collection ?? '$cmd.aggregate',
      batchSize: batchEvents,
      maxTimeMS: awaitMs,
    }
    const reply = parseReply(rawCursor(await this.#run(command, deadlineMs)))
    this.#cursorId = reply.cursorId
    return reply
  }

  /**
   * Ends what is under way by closing its connection. The server is told, but not waited for: it may be dead, and a
   * cursor that nobody reads dies by itself.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the cursor was closed'))
    void this.#kill()
  }

  async #kill(): Promise<void> {
    const { clock, scope } = this.#settings
    const signal = new AbortController().signal
    try {
      if (this.#cursorId !== 0n) {
        const command = {
          killCursors: scope.collection ?? '$cmd.aggregate',
          cursors: [Long.fromBigInt(this.#cursorId)],
        }
        const options = { session: this.#session, raw: false, deadlineMs: killDeadlineMs, clock, signal }
        await runCommand(this.#db, command, options)
      }
    } catch {
      // Best effort: see above.
    } finally {
      await this.#session.endSession().catch(() => undefined)
    }
  }

  #run(command: Document, deadlineMs: number): Promise<Document> {
    const { clock } = this.#settings
    return runCommand(this.#db, command, {
      session: this.#session,
      raw: true,
      deadlineMs,
      clock,
      signal: this.#signal,
    })
  }
}

function databaseOf(scope: Scope): string {
  return scope.db ?? 'admin'
}

function openCommand(settings: CursorSettings, start: Start): Document {
  const { scope, images, filter, large = [] } = settings
  const stage = {
    ...(scope.db === undefined && { allChangesForCluster: true }),
    ...(images.after !== 'default' && { fullDocument: images.after }),
    ...(images.before !== 'default' && { fullDocumentBeforeChange: images.before }),
    ...startOf(start),
  }
  const match = filter ? [{ $match: BSON.EJSON.deserialize(filter) }] : []
  return {
    aggregate: scope.collection ?? 1,
    pipeline: [{ $changeStream: stage }, ...match, ...(large.length > 0 ? [slimmed(large)] : [])],
    cursor: { batchSize: 0 },
    readConcern: { level: 'majority' },
  }
}

/**
 * startAfter is resumeAfter that also goes on behind an invalidate. The token goes back exactly as it came, _typeBits
 * included: promoted values would lose what tells 1 from NumberLong(1).
 */
function startOf(start: Start): Document {
  if (start.kind === 'time') return { startAtOperationTime: timestamp(start.clusterTime) }
  const { resumeToken, clusterTime } = start.position
  if (!resumeToken) return { startAtOperationTime: timestamp(clusterTime) }
  return { startAfter: BSON.deserialize(resumeToken, { promoteValues: false }) }
}

export function timestamp(clusterTime: ClusterTime): Timestamp {
  return new Timestamp({ t: Number(clusterTime >> 32n), i: Number(clusterTime & 0xffffffffn) })
}

/** The member's operationTime, which every reply of a replica set or mongos carries; 0 where it is absent. */
export function operationTimeOf(reply: Document): ClusterTime {
  const time: unknown = reply.operationTime
  return time instanceof Timestamp ? (BigInt(time.t) << 32n) | BigInt(time.i) : 0n
}

export function rawCursor(reply: Document): Buffer {
  const cursor: unknown = reply.cursor
  if (!Buffer.isBuffer(cursor)) throw new RangeError('reply without cursor')
  return cursor
}
