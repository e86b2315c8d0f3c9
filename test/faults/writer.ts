import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AnyBulkWriteOperation,
  type ClientSession,
  type Collection,
  MongoClient,
  MongoError,
  MongoErrorLabel,
} from 'mongodb'
import { seeded } from '../simulation/schedule.ts'
import { type DocumentId, keyOf, sampleIds } from './ids.ts'
import type { Change, ChangeKind } from './journal.ts'

interface Versioned {
  readonly _id: DocumentId
  readonly v: number
  /** Says whose document this is, and which version: what is not genuine shows. */
  readonly check: string
  readonly text?: string
}

interface Step {
  readonly id: DocumentId
  readonly key: string
  readonly version: number
  readonly kind: ChangeKind
  readonly operation: AnyBulkWriteOperation<Versioned>
}

export interface WriterOptions {
  readonly uri: string
  readonly database: string
  readonly collections: readonly string[]
  readonly seed: number
}

const lanes = 4
const documentsOfLane = 40
const stepsOfGroup = 6
const retryMs = 100
const duplicateKey = 11000
const acknowledged = { writeConcern: { w: 'majority' as const } }
/** The driver would give a document whose `_id` is null another one. */
const asTheyAre = { forceServerObjectId: true }
/** As they are stored: an integer is not taken for a double. */
const unpromoted = { promoteValues: false, promoteLongs: false, promoteBuffers: false }
/** Lanes that write to one collection. Between them they have each of the sample ids once. */
const samplesOfLane = sampleIds.length / 2

/**
 * Changes documents all the time and journals what MongoDB has acknowledged. Each lane has documents of its own and one
 * group of changes under way, so the order within a document is known. Every change names the version that it expects:
 * one whose outcome is unknown is made again until it is known, and takes effect once.
 */
export class Writer implements AsyncDisposable {
  readonly journal = new Map<string, Change[]>()
  /** Milliseconds between two groups of a lane: the rate. */
  pauseMs = 40
  /** Times that an outcome was unknown. */
  unknown = 0
  readonly #options: WriterOptions
  readonly #client: MongoClient
  #stop = new AbortController()
  #starts = 0
  #work: Promise<unknown> = Promise.resolve()
  #failure: unknown

  constructor(options: WriterOptions) {
    this.#options = options
    this.#client = new MongoClient(options.uri, { retryWrites: true, serverSelectionTimeoutMS: 5_000, maxPoolSize: 12 })
  }

  /** Creates the collections with pre- and post-images. */
  async create(): Promise<void> {
    const db = this.#client.db(this.#options.database)
    for (const name of this.#options.collections) {
      await db.createCollection(name, { changeStreamPreAndPostImages: { enabled: true }, ...acknowledged })
    }
  }

  /** Begins, or goes on after `hold`. */
  start(): void {
    this.#stop = new AbortController()
    this.#starts += 1
    const work = Array.from({ length: lanes }, (_, lane) => this.#runLane(lane))
    this.#work = Promise.all(work).catch(error => {
      this.#failure ??= error
    })
  }

  /** Ends what is under way, until `start`. */
  async hold(): Promise<void> {
    this.#stop.abort()
    await this.#work
  }

  /** Ends what is under way, for good. Throws where the collection was not what the journal says. */
  async stop(): Promise<void> {
    await this.hold()
    if (this.#failure !== undefined) throw this.#failure
  }

  get failure(): unknown {
    return this.#failure
  }

  /** The version of each document that exists, as the primary says. */
  async state(): Promise<Map<string, number>> {
    const state = new Map<string, number>()
    for (const collection of this.#options.collections) {
      const found = this.#collection(collection).find({}, { readConcern: 'majority', ...unpromoted })
      for await (const { _id, v } of found) state.set(`${collection}/${keyOf(_id)}`, Number(v))
    }
    return state
  }

  /** Whether a document that somebody else inserted is there for good; then it belongs to the journal. */
  async adopt(collection: string, id: string): Promise<boolean> {
    const [found] = await this.#collection(collection)
      .find({ _id: typed(id) }, { readConcern: 'majority' })
      .toArray()
    if (found === undefined) return false
    const key = `${collection}/${keyOf(id)}`
    this.journal.set(key, [{ key, version: 1, kind: 'insert', time: 2n ** 63n, atMs: 0 }])
    return true
  }

  /** A document in a collection that nobody judges. */
  async scribble(collection: string): Promise<void> {
    const _id = crypto.randomUUID()
    await this.#collection(collection).insertOne({ _id, v: 1, check: '' }, acknowledged)
  }

  #collection(name: string): Collection<Versioned> {
    return this.#client.db(this.#options.database).collection(name)
  }

  async #runLane(lane: number): Promise<void> {
    const random = seeded(this.#options.seed * 1_000 + this.#starts * lanes + lane)
    const name = this.#options.collections[lane % this.#options.collections.length]!
    await using session = this.#client.startSession()
    const { signal } = this.#stop
    while (!signal.aborted) {
      const picks = new Set(Array.from({ length: stepsOfGroup }, () => Math.floor(random() * documentsOfLane)))
      const steps = [...picks].map(pick => this.#step(name, idOf(lane, pick), random))
      await this.#carryOut(name, steps, session, random() < 0.3)
      await sleep(this.pauseMs)
    }
  }

  #step(collection: string, id: DocumentId, random: () => number): Step {
    const key = `${collection}/${keyOf(id)}`
    const history = this.journal.get(key) ?? []
    const version = history.length + 1
    const last = history.at(-1)
    const filter = { _id: typed(id), v: version - 1 }
    const set = { v: version, check: `${key}@${version}` }
    const text = 'x'.repeat(random() < 0.01 ? 20_000 : 100 + Math.floor(random() * 400))
    if (last === undefined || last.kind === 'delete') {
      const insertOne = { document: { _id: typed(id), ...set, text } }
      return { id, key, version, kind: 'insert', operation: { insertOne } }
    }
    const choice = random()
    if (choice < 0.15) return { id, key, version, kind: 'delete', operation: { deleteOne: { filter } } }
    if (choice < 0.3) {
      return { id, key, version, kind: 'replace', operation: { replaceOne: { filter, replacement: { ...set, text } } } }
    }
    return { id, key, version, kind: 'update', operation: { updateOne: { filter, update: { $set: set } } } }
  }

  /** Until each step is known to have taken effect, and is journalled. */
  async #carryOut(name: string, steps: readonly Step[], session: ClientSession, atomic: boolean): Promise<void> {
    const collection = this.#collection(name)
    const operations = steps.map(({ operation }) => operation)
    try {
      if (atomic) {
        const all = () => collection.bulkWrite(operations, { ordered: true, session, ...asTheyAre }).catch(unanswered)
        await session.withTransaction(all, acknowledged)
      } else await collection.bulkWrite(operations, { ordered: true, session, ...asTheyAre, ...acknowledged })
      for (const step of steps) this.#record(step, session)
      return
    } catch (error) {
      if (!(error instanceof MongoError)) throw error
      this.unknown += 1
    }
    for (const step of steps) {
      while (!(await this.#made(collection, step, session))) await sleep(retryMs)
      this.#record(step, session)
    }
  }

  /** Makes the change unless it is made, and says whether it is now. An answer of the majority is behind a true. */
  async #made(collection: Collection<Versioned>, step: Step, session: ClientSession): Promise<boolean> {
    try {
      await collection.bulkWrite([step.operation], { session, ...asTheyAre, ...acknowledged }).catch(error => {
        if (!(error instanceof MongoError && error.code === duplicateKey)) throw error
      })
      const options = { session, readConcern: { level: 'majority' as const } }
      const found = await collection.findOne({ _id: typed(step.id) }, options)
      const is = found?.v ?? 'absent'
      if (is === (step.kind === 'delete' ? 'absent' : step.version)) return true
      const before = step.kind === 'insert' ? 'absent' : step.version - 1
      if (is === before) return false
      throw new RangeError(`${step.key} is ${is} where version ${step.version} was being written`)
    } catch (error) {
      if (error instanceof MongoError) return false
      throw error
    }
  }

  #record({ key, version, kind }: Step, session: ClientSession): void {
    const time = session.operationTime?.toBigInt() ?? 0n
    const changes = this.journal.get(key) ?? []
    changes.push({ key, version, kind, time, atMs: Date.now() })
    this.journal.set(key, changes)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hold()
    await this.#client.close()
  }
}

/** The driver's types know no collection whose ids have many types. */
function typed(id: DocumentId): never {
  return id as never
}

/** Of a lane's documents some have integers, some texts, and about a third ids of all the other types. */
function idOf(lane: number, pick: number): DocumentId {
  const number = lane * documentsOfLane + pick
  const sample = Math.floor(pick / 3)
  if (pick % 3 === 2 && sample < samplesOfLane) return sampleIds[(lane >> 1) * samplesOfLane + sample]!.id
  return number % 2 === 0 ? number : `d${number}`
}

/** A connection lost inside a transaction may come without the label that lets the driver make it again. */
function unanswered(error: unknown): never {
  if (error instanceof MongoError && error.code === undefined) {
    error.addErrorLabel(MongoErrorLabel.TransientTransactionError)
  }
  throw error
}
