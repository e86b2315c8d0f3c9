/**
 * Writes to a collection at a steady rate, w: majority, with the time just before the write in each document. A child
 * process of the bench.
 */
import { Long, MongoClient } from 'mongodb'
import { type collections, database, document } from './backlog.ts'
import { jobOf, send } from './child.ts'
import { quantile } from './statistics.ts'

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
  readonly p50Ms: number
  readonly p99Ms: number
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
  const ackMs: number[] = []
  const open = new Set<Promise<void>>()
  let sent = 0
  const write = async (count: number) => {
    const startMs = performance.now()
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
    ackMs.push(performance.now() - startMs)
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
  ackMs.sort((a, b) => a - b)
  await send<Writes>({ result: { count: sent, p50Ms: quantile(ackMs, 0.5), p99Ms: quantile(ackMs, 0.99) } })
  // The bench reads our CPU time once more, and then ends us.
}

await main(jobOf<WriterJob>())
