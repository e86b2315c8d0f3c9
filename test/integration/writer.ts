import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AnyBulkWriteOperation,
  type ClientSession,
  type Collection,
  MongoBulkWriteError,
  MongoClient,
  MongoError,
  MongoErrorLabel,
  MongoServerError,
} from 'mongodb'
import { seeded } from '../simulation/schedule.ts'

/** Between bulks of an endless load: what piles up while a server is away must be read and judged later. */
const pauseMs = 20
/** An election on a machine that is busy with other things may take longer than the driver would wait by itself. */
const selectionLimitMs = 120_000

/** Of the documents those whose number is `lane` modulo `lanes`, counted from 0. */
interface Lane {
  readonly lane: number
  readonly lanes: number
}

interface Versioned {
  readonly _id: number
  readonly v: string
  readonly text?: string
}

/**
 * Writes random changes of documents 1 to `documents` and keeps a journal: for each document the versions it went
 * through. Versions never repeat, so that every record can be told from every other.
 */
export class Writer implements AsyncDisposable {
  /** Each bulk is one transaction, which is repeated as a whole: where primaries die under it. */
  atomic = false
  readonly journal = new Map<string, string[]>()
  readonly #client: MongoClient
  readonly #random: () => number
  readonly #documents: number
  /** The present version of each document that exists. */
  readonly #alive = new Map<string, string>()
  #version = 0

  constructor(uri: string, documents: number, seed: number) {
    this.#client = new MongoClient(uri, { retryWrites: true, serverSelectionTimeoutMS: selectionLimitMs })
    this.#documents = documents
    this.#random = seeded(seed)
  }

  collection(namespace: string): Collection<Versioned> {
    const [db, name] = namespace.split('.')
    return this.#client.db(db).collection(name ?? '')
  }

  get written(): number {
    return [...this.journal.values()].reduce((sum, changes) => sum + changes.length, 0)
  }

  /** Creates the collection with pre-images, which tell deletes from each other. */
  async create(namespace: string): Promise<void> {
    const { dbName, collectionName } = this.collection(namespace)
    await this.#client.db(dbName).createCollection(collectionName, { changeStreamPreAndPostImages: { enabled: true } })
  }

  /** `count` changes in ordered bulks; the journal gets them once MongoDB has them. */
  async write(namespace: string, count: number, bulk = 500): Promise<void> {
    await this.#write(namespace, count, bulk, { lane: 0, lanes: 1 })
  }

  /**
   * The same by `lanes` clients at once, each with documents of its own: the changes of one document keep their order,
   * those of different documents mix. An ordered bulk is a round trip for every few changes, which a single client
   * spends most of its time waiting for.
   */
  async writeAtOnce(namespace: string, count: number, bulk: number, lanes: number): Promise<void> {
    const shares = Array.from({ length: lanes }, (_, lane) => Math.floor((count + lane) / lanes))
    await Promise.all(shares.map((share, lane) => this.#write(namespace, share, bulk, { lane, lanes })))
  }

  async #write(namespace: string, count: number, bulk: number, lane: Lane): Promise<void> {
    for (let left = count; left > 0; left -= bulk) {
      const steps = Array.from({ length: Math.min(bulk, left) }, () => this.#step(namespace, lane))
      await this.#apply(
        namespace,
        steps.map(step => step.operation),
      )
      for (const { document, change } of steps) {
        const changes = this.journal.get(document) ?? []
        changes.push(change)
        this.journal.set(document, changes)
      }
    }
  }

  /**
   * Writes for as long as `during` takes, so that a fault in it always meets work under way, however fast the machine.
   * Both are over when this settles. Rejects with the writer's error, else with that of `during`.
   */
  async writeWhile<T>(namespace: string, during: () => Promise<T>, bulk = 20): Promise<T> {
    const stop = new AbortController()
    const writing = this.#writeUntil(namespace, bulk, stop.signal)
    const [written, done] = await Promise.allSettled([writing, during().finally(() => stop.abort())])
    for (const result of [written, done]) if (result.status === 'rejected') throw result.reason
    return (done as PromiseFulfilledResult<Awaited<T>>).value
  }

  async #writeUntil(namespace: string, bulk: number, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      await this.write(namespace, bulk, bulk)
      await sleep(pauseMs)
    }
  }

  async #apply(namespace: string, operations: AnyBulkWriteOperation<Versioned>[]): Promise<void> {
    const collection = this.collection(namespace)
    if (!this.atomic) {
      await collection.bulkWrite(operations, { ordered: true })
      return
    }
    await this.#client.withSession(session =>
      inTransaction(session, () => collection.bulkWrite(operations, { ordered: true, session })),
    )
  }

  #step(
    namespace: string,
    { lane, lanes }: Lane,
  ): { operation: AnyBulkWriteOperation<Versioned>; document: string; change: string } {
    const inLane = Math.ceil((this.#documents - lane) / lanes)
    const _id = 1 + lane + lanes * Math.floor(this.#random() * inLane)
    const document = `${namespace}/${_id}`
    const v = `v${++this.#version}`
    const filter = { _id }
    const before = this.#alive.get(document)
    this.#alive.set(document, v)
    if (before === undefined) {
      return { operation: { insertOne: { document: { _id, v, text: 'x'.repeat(200) } } }, document, change: v }
    }
    const choice = this.#random()
    if (choice < 0.15) {
      this.#alive.delete(document)
      return { operation: { deleteOne: { filter } }, document, change: `deleted ${before}` }
    }
    if (choice < 0.3) return { operation: { replaceOne: { filter, replacement: { v } } }, document, change: v }
    return { operation: { updateOne: { filter, update: { $set: { v } } } }, document, change: v }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close()
  }
}

/**
 * As the driver's `withTransaction`, which gives up where a connection is lost in the commit and the server is known to be
 * gone already: then it does not give the error the label by which it would ask again.
 */
async function inTransaction(session: ClientSession, work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    session.startTransaction({ writeConcern: { w: 'majority' } })
    try {
      await work()
      await commit(session)
      return
    } catch (error) {
      if (session.inTransaction()) await session.abortTransaction()
      if (!(error instanceof MongoError && isTransient(error))) throw error
      await sleep(pauseMs)
    }
  }
}

/** Until a server says what became of it. */
async function commit(session: ClientSession): Promise<void> {
  for (;;) {
    try {
      await session.commitTransaction()
      return
    } catch (error) {
      const isUnknown =
        error instanceof MongoError && error.hasErrorLabel(MongoErrorLabel.UnknownTransactionCommitResult)
      if (!isUnknown && !isUnanswered(error)) throw error
      await sleep(pauseMs)
    }
  }
}

/** It was not committed, and may be made again. */
function isTransient(error: MongoError): boolean {
  return error.hasErrorLabel(MongoErrorLabel.TransientTransactionError) || isUnanswered(error)
}

/** No server has said anything about it: a lost connection, or none to be had. */
function isUnanswered(error: unknown): boolean {
  if (error instanceof MongoBulkWriteError) return error.code === undefined
  return error instanceof MongoError && !(error instanceof MongoServerError)
}
