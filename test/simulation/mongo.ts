import { BSON, type Document, Long, MongoServerError, Timestamp } from 'mongodb'
import { Position } from '../../src/position.ts'
import { classify } from '../../src/source/classify.ts'
import type { Schedule } from './schedule.ts'

/** Change number n has cluster time n times this; between two changes there is room for what MongoDB writes by itself. */
const ticks = 10
const noopTicks = 5
/** How long a replica set may be without a primary, and its successor behind what an earlier one had said (no-ops). */
const electionMs = 20_000
const behindMs = 10_000
const database = 'shop'

/** What is asked of one cursor, by its session. */
interface Cursor {
  /** Cluster time; every change after it is still to come. */
  at: number
}

/** Just after the event of change number n. */
export function positionOf(change: number): Position {
  const known = positions.get(change)
  if (known !== undefined) return known
  const position = Position.ofToken(Buffer.from(BSON.serialize({ _data: eventToken(change) })))
  positions.set(change, position)
  return position
}
const positions = new Map<number, Position>()

/** The changes that come before `position` are all below this number. */
export function firstAfter(position: Pick<Position, 'clusterTime' | 'kind'>): number {
  const time = Number(position.clusterTime)
  const last = position.kind === 'event' ? time : time - 1
  return Math.floor(last / ticks) + 1
}

/**
 * The history of a replica set, as far as change streams show it. Somebody writes to it once a start of the pipeline is
 * fixed. Elections close every cursor; then there is no primary for a while, and for another while the new one has not
 * reached the last no-op of its predecessor, which readers may have as their position. The oplog can lose its beginning,
 * and the whole of it can be replaced by a backup, whose end is earlier.
 */
export class Mongo {
  /** The keys that the changes 1, 2, 3 … are made to. */
  readonly history: readonly string[]
  /** How many of them are made. */
  written = 0
  /** Cluster time of the oplog's first entry. */
  firstTime = 0
  /** A backup was put in the place of what there was. */
  isRestored = false
  readonly #schedule: Schedule
  readonly #steadyMs: () => number
  readonly #cursors = new Map<object, Cursor>()
  #noopTime = noopTicks
  #primaryAtMs = 0
  #behindSinceMs = 0
  #behindUntilMs = 0
  /** How long primaries were behind at a stretch, at most: the next may be elected before the last has caught up. */
  longestBehindMs = 0
  #hasBegun = false
  #changed = Promise.withResolvers<void>()

  constructor(schedule: Schedule, history: readonly string[], steadyMs: () => number) {
    this.#schedule = schedule
    this.history = history
    this.#steadyMs = steadyMs
  }

  /** The cluster time of its last entry. */
  get lastTime(): number {
    return Math.max(this.written * ticks, this.#noopTime)
  }

  /** The start is fixed: from now on there is something to lose. */
  begin(): void {
    if (this.#hasBegun) return
    this.#hasBegun = true
    void this.#write()
  }

  async #write(): Promise<void> {
    while (this.written < this.history.length && !this.isRestored) {
      await this.#schedule.step('write')
      if (this.isRestored) return
      this.written = Math.min(this.history.length, this.written + 1 + Math.floor(this.#schedule.random() * 6))
      this.#change()
    }
  }

  /** The primary's last entry. Throws MongoServerError where there is no primary. */
  operationTime(): number {
    const nowMs = this.#steadyMs()
    if (nowMs < this.#primaryAtMs) throw serverError(10_107, 'not primary')
    if (nowMs < this.#behindUntilMs) return Math.max(this.written * ticks, 1)
    return this.lastTime
  }

  /** Every connection and cursor is gone. */
  elect(): void {
    const { random } = this.#schedule
    const nowMs = this.#steadyMs()
    const isBehind = nowMs < this.#behindUntilMs
    this.#cursors.clear()
    this.#primaryAtMs = nowMs + (random() < 0.5 ? 0 : random() * electionMs)
    this.#behindUntilMs = this.#primaryAtMs + random() * behindMs
    if (!isBehind) this.#behindSinceMs = this.#primaryAtMs
    this.longestBehindMs = Math.max(this.longestBehindMs, this.#behindUntilMs - this.#behindSinceMs)
    this.#change()
  }

  /** The oplog is too small: its beginning is overwritten, be it read or not. */
  overwrite(): void {
    const change = 1 + Math.floor(this.#schedule.random() * (this.written + 1))
    this.firstTime = Math.max(this.firstTime, Math.min(change * ticks, this.lastTime))
    this.#change()
  }

  /** A backup of an earlier time is put in its place, and nobody writes any more. */
  restore(): void {
    const least = Math.ceil(this.firstTime / ticks)
    if (least > this.written) return
    this.isRestored = true
    this.written = least + Math.floor(this.#schedule.random() * (this.written - least))
    this.#noopTime = Math.max(this.firstTime, this.written * ticks + noopTicks)
    this.#cursors.clear()
    this.#change()
  }

  /** Whether changes after `position` may be gone. */
  hasLost(position: Pick<Position, 'clusterTime'>): boolean {
    return Number(position.clusterTime) < this.firstTime
  }

  /** An aggregate. Throws MongoServerError. */
  open(session: object, command: Document): Document {
    const operationTime = this.operationTime()
    const { startAfter, startAtOperationTime } = command.pipeline[0].$changeStream
    const at = startAfter ? timeOf(startAfter._data) : timeOfStart(startAtOperationTime)
    if (at < this.firstTime) throw historyLost()
    // A high-water mark or a time is before what happened then, the token of an event behind it.
    this.#cursors.set(session, { at: startAfter && isEvent(startAfter._data) ? at : at - 1 })
    return reply({ id: Long.fromNumber(1), firstBatch: [] }, operationTime)
  }

  /** Resolves at the next change of anything. */
  get changed(): Promise<void> {
    return this.#changed.promise
  }

  /** Whether a getMore is answered now. */
  hasNews(session: object): boolean {
    const cursor = this.#cursors.get(session)
    return cursor === undefined || cursor.at < this.firstTime - 1 || cursor.at < this.written * ticks + noopTicks
  }

  /** A getMore, which brings `size` changes at most. Throws MongoServerError. */
  more(session: object, size: number): Document {
    const operationTime = this.operationTime()
    const cursor = this.#cursors.get(session)
    if (cursor === undefined) throw serverError(43, 'cursor not found')
    if (cursor.at < this.firstTime - 1) throw historyLost()
    const first = Math.floor(cursor.at / ticks) + 1
    const isCaughtUp = first > this.written
    const end = Math.min(first + size, this.written + 1)
    cursor.at = first === end ? (end - 1) * ticks + noopTicks : (end - 1) * ticks
    if (isCaughtUp && !this.isRestored) this.#noopTime = Math.max(this.#noopTime, cursor.at)
    const token = first === end ? markToken(cursor.at) : eventToken(end - 1)
    return {
      cursor: batchOf(this.history.slice(first - 1, end - 1), first, token),
      operationTime: stamp(operationTime),
    }
  }

  close(session: object): void {
    this.#cursors.delete(session)
  }

  #change(): void {
    const { resolve } = this.#changed
    this.#changed = Promise.withResolvers()
    resolve()
  }
}

function eventToken(change: number): string {
  return `${head(change * ticks)}2B022C0100296E5A1004`
}

/** A high-water mark. */
function markToken(time: number): string {
  return `${head(time)}2B0229296E04`
}

function isEvent(data: string): boolean {
  return data.endsWith('5A1004')
}

function head(time: number): string {
  return `82${time.toString(16).toUpperCase().padStart(16, '0')}`
}

function timeOf(data: string): number {
  return Number.parseInt(data.slice(2, 18), 16)
}

/** Inclusive: what happened at that very time is still to come. */
function timeOfStart(time: Timestamp): number {
  return time.t * 2 ** 32 + time.i
}

function stamp(time: number): Timestamp {
  return new Timestamp({ t: 0, i: time })
}

function reply(cursor: Document, operationTime: number): Document {
  return { cursor: Buffer.from(BSON.serialize(cursor)), operationTime: stamp(operationTime) }
}

/** Replies that were made before: most of what a run asks has been asked. */
const batches = new Map<string, Buffer>()

function batchOf(keys: readonly string[], first: number, token: string): Buffer {
  const name = `${first} ${keys.join()} ${token}`
  const known = batches.get(name)
  if (known !== undefined) return known
  const nextBatch = keys.map((coll, index) => ({
    _id: { _data: eventToken(first + index) },
    operationType: 'update',
    clusterTime: stamp((first + index) * ticks),
    wallTime: new Date(first + index),
    ns: { db: database, coll },
  }))
  const cursor = { id: Long.fromNumber(1), nextBatch, postBatchResumeToken: { _data: token } }
  const bytes = Buffer.from(BSON.serialize(cursor))
  batches.set(name, bytes)
  return bytes
}

function historyLost(): MongoServerError {
  return serverError(286, 'resume of change stream was not possible, as the resume point may no longer be in the oplog')
}

function serverError(code: number, message: string): MongoServerError {
  return new MongoServerError({ message, code })
}

/** What the source's own questions do with the errors of the server. */
export function classified<T>(ask: () => T): T {
  try {
    return ask()
  } catch (error) {
    throw classify(error, 'read')
  }
}
