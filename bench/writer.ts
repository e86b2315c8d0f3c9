/**
 * Writes to a collection at a steady rate, w: majority, with the time just before the write in each document. A child
 * process of the bench.
 */
import { Long, MongoClient } from 'mongodb'
import { type collections, database, document } from './backlog.ts'
import { jobOf, send } from './child.ts'
import type { Write } from './latencies.ts'

export interface WriterJob {
  readonly uri: string
  readonly collection: (typeof collections)[keyof typeof collections]
  /** Inserts, or updates of the documents that are there with `seq` 0 to `documents` - 1. */
  readonly documents: 'insert' | number
  readonly perSecond: number
  readonly seconds: number
}

export interface Writes {
  readonly count: number
  readonly writes: readonly Write[]
}

/** Writes come in small bursts, since timers are not finer. */
const tickMs = 10

function nowUs(): Long {
  return Long.fromBigInt(process.hrtime.bigint() / 1_000n)
}

async function main({ uri, collection: name, documents, perSecond, seconds }: WriterJob): Promise<void> {
  const client = new MongoClient(uri, { maxPoolSize: 32, writeConcern: { w: 'majority' } })
  const collection = client.db(database).collection(name)
  await collection.findOne() // Connects.
  await send({ ready: true })
  const total = perSecond * seconds
  const writes: Write[] = []
  const open = new Set<Promise<void>>()
  let sent = 0
  const write = async (count: number) => {
    const startUs = nowUs()
    if (documents === 'insert') {
      const batch = Array.from({ length: count }, () => ({ ...document(sent++), sentUs: nowUs() }))
      await collection.insertMany(batch, { ordered: false })
    } else {
      const updates = Array.from({ length: count }, () => {
        const update = { $set: { sentUs: nowUs(), status: 'changed' } }
        return { updateOne: { filter: { _id: (sent++ % documents) as never }, update } }
      })
      await collection.bulkWrite(updates, { ordered: false })
    }
    writes.push([startUs.toNumber(), nowUs().toNumber()])
  }
  const beganMs = performance.now()
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - beganMs) / 1_000) * perSecond))
    if (due > sent) {
      const writing = write(due - sent).finally(() => open.delete(writing))
      open.add(writing)
      if (open.size > 256) await Promise.race(open)
    }
    await new Promise(resolve => setTimeout(resolve, tickMs))
  }
  await Promise.all(open)
  writes.sort(([one], [other]) => one - other) // They were acknowledged in another order.
  await send<Writes>({ result: { count: sent, writes } })
  // The bench reads our CPU time once more, and then ends us.
}

await main(jobOf<WriterJob>())
