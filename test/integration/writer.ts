import { type AnyBulkWriteOperation, type Collection, MongoClient } from 'mongodb'
import { seeded } from '../simulation/schedule.ts'

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
    for (let left = count; left > 0; left -= bulk) {
      const steps = Array.from({ length: Math.min(bulk, left) }, () => this.#step(namespace))
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

  async #apply(namespace: string, operations: AnyBulkWriteOperation<Versioned>[]): Promise<void> {
    const collection = this.collection(namespace)
    if (!this.atomic) {
      await collection.bulkWrite(operations, { ordered: true })
      return
    }
    await this.#client.withSession(session =>
      session.withTransaction(() => collection.bulkWrite(operations, { ordered: true, session }), {
        writeConcern: { w: 'majority' },
      }),
    )
  }

  #step(namespace: string): { operation: AnyBulkWriteOperation<Versioned>; document: string; change: string } {
    const _id = 1 + Math.floor(this.#random() * this.#documents)
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
