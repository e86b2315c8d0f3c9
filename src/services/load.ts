import { type ClientSession, type Collection, type Db, MongoClient } from 'mongodb'
import type { Clock } from '../clock.ts'

export type LoadCollection = 'orders' | 'customers'
type Operation = 'insert' | 'update' | 'replace' | 'delete'
export type WriteCounts = Readonly<Record<LoadCollection, Readonly<Record<Operation, number>>>>

interface Row {
  readonly _id: number
  readonly name: string
  readonly revision: number
}

/** The transaction that a write belongs to, if any. */
type Within = { readonly session?: ClientSession }

const tickMs = 50
const transactionShare = 0.1
/** The collections neither vanish nor grow without bound. */
const fewest = 20
const most = 500

/** Creates the database `shop` with pre- and post-images on. Any earlier one is dropped: the server is the demo's. */
async function prepare(db: Db): Promise<void> {
  await db.dropDatabase()
  for (const name of ['orders', 'customers'] satisfies LoadCollection[]) {
    await db.createCollection(name, { changeStreamPreAndPostImages: { enabled: true } })
  }
}

/**
 * A live write load on the database `shop`: inserts, updates, replaces and deletes, a tenth of them in transactions
 * over both collections. One writer, so it knows exactly what it has committed.
 */
export class Load implements AsyncDisposable {
  readonly #client: MongoClient
  readonly #clock: Clock
  readonly #live: Record<LoadCollection, number[]> = { orders: [], customers: [] }
  readonly #counts: Record<LoadCollection, Record<Operation, number>> = { orders: noWrites(), customers: noWrites() }
  #nextId = 1
  #revision = 1
  #transactions = 0

  private constructor(client: MongoClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  static async open(uri: string, clock: Clock): Promise<Load> {
    const client = new MongoClient(uri)
    await prepare(client.db('shop'))
    return new Load(client, clock)
  }

  /** Committed changes so far. */
  get counts(): WriteCounts {
    return this.#counts
  }

  get transactions(): number {
    return this.#transactions
  }

  /** Writes about `perSecond` changes a second until `stop` aborts; the write at hand is finished and counted. */
  async run(perSecond: number, stop: AbortSignal): Promise<void> {
    const startedMs = this.#clock.nowMs()
    let done = 0
    while (!stop.aborted) {
      const due = ((this.#clock.nowMs() - startedMs) / 1_000) * perSecond
      for (; done < due && !stop.aborted; done++) {
        if (this.#clock.random() < transactionShare) await this.#transaction()
        else await this.#write(this.#clock.random() < 0.7 ? 'orders' : 'customers', {})
      }
      await this.#clock.sleep(tickMs, stop).catch(() => {})
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.close()
  }

  /** One change in each collection, committed together. Without retries: a retry would count twice. */
  async #transaction(): Promise<void> {
    await using session = this.#client.startSession()
    session.startTransaction({ readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } })
    await this.#write('customers', { session })
    await this.#write('orders', { session })
    await session.commitTransaction()
    this.#transactions += 1
  }

  async #write(name: LoadCollection, within: Within): Promise<void> {
    const live = this.#live[name]
    const operation = chooseOperation(live.length, this.#clock.random())
    const collection = this.#client.db('shop').collection<Row>(name)
    if (operation === 'insert') {
      const _id = this.#nextId++
      await collection.insertOne(this.#row(_id), within)
      live.push(_id)
    } else {
      const at = Math.floor(this.#clock.random() * live.length)
      await this.#change(collection, operation, live[at]!, within)
      if (operation === 'delete') live.splice(at, 1)
    }
    this.#counts[name][operation] += 1
  }

  async #change(
    collection: Collection<Row>,
    operation: Exclude<Operation, 'insert'>,
    _id: number,
    within: Within,
  ): Promise<void> {
    if (operation === 'delete') await collection.deleteOne({ _id }, within)
    else if (operation === 'replace') await collection.replaceOne({ _id }, this.#row(_id), within)
    else await collection.updateOne({ _id }, { $set: { revision: this.#revision++ } }, within)
  }

  /** Every row is unlike every other, so that every write is a change. */
  #row(_id: number): Row {
    return { _id, name: `no. ${_id}`, revision: this.#revision++ }
  }
}

function noWrites(): Record<Operation, number> {
  return { insert: 0, update: 0, replace: 0, delete: 0 }
}

/** What to do next with a collection of `size` rows, by `chance` in [0, 1). */
export function chooseOperation(size: number, chance: number): Operation {
  if (size < fewest) return 'insert'
  if (chance < 0.4 && size < most) return 'insert'
  if (chance < 0.7) return 'update'
  return chance < 0.8 ? 'replace' : 'delete'
}
