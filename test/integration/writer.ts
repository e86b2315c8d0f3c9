import { setTimeout as sleep } from 'node:timers/promises'
import {
  type AnyBulkWriteOperation,
  type Collection,
  MongoBulkWriteError,
  MongoClient,
  MongoErrorLabel,
  MongoNetworkError,
} from 'mongodb'
import { seeded } from '../simulation/schedule.ts'

/** Between bulks of an endless load: what piles up while a server is away must be read and judged later. */
const pauseMs = 20

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
  /** Each bulk is one transaction, which the driver repeats as a whole: where primaries die under it. */
  atomic = false
  readonly journal = new Map<string, string[]>()
  readonly #client: MongoClient
  readonly #random: () => number
  readonly #documents: number
  /** The present version of each document that exists. */
  readonly #alive = new Map<string, string>()
  #version = 0

  constructor(uri: string, documents: number, seed: number) {
    this.#client = new MongoClient(uri, { retryWrites: true })
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
      session.withTransaction(() => collection.bulkWrite(operations, { ordered: true, session }).catch(labelled), {
        writeConcern: { w: 'majority' },
      }),
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
 * The driver may give a bulk that lost its connection inside a transaction without the label that lets the transaction
 * be repeated. It was never committed: no server has said anything about it.
 */
function labelled(error: unknown): never {
  const unanswered = error instanceof MongoBulkWriteError && error.code === undefined
  if (unanswered || error instanceof MongoNetworkError) error.addErrorLabel(MongoErrorLabel.TransientTransactionError)
  throw error
}
