/**
 * Reads a backlog with our source and drops everything: what no connector on it can outrun. A child process of the
 * bench; it ends with the last event it expects.
 */
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/log.ts'
import { silentMeter } from '../src/meter.ts'
import { Position } from '../src/position.ts'
import { openMongo } from '../src/source/mongo.ts'
import { collections, database } from './backlog.ts'
import { jobOf, send } from './child.ts'

export interface ReaderJob {
  readonly uri: string
  readonly events: number
  /** Cluster time of the first event, in decimal digits: JSON has no such integers. */
  readonly from: string
  readonly lookup: boolean
}

/** Milliseconds since the Unix epoch. */
export interface Read {
  readonly firstMs: number
  readonly lastMs: number
}

async function main({ uri, events, from, lookup }: ReaderJob): Promise<void> {
  const stop = new AbortController()
  await using mongo = await openMongo({ uri, clock: systemClock, log: silentLogger, meter: silentMeter }, stop.signal)
  const source = mongo.source({
    pipeline: 'bench',
    slot: { index: 0, count: 1 },
    collections: [`${database}.${collections.mixed}`],
    filter: undefined,
    fullDocument: lookup ? 'updateLookup' : 'default',
    fullDocumentBeforeChange: 'default',
  })
  let [seen, firstMs] = [0, 0]
  for await (const batch of source.read(Position.ofTime(BigInt(from)), stop.signal)) {
    seen += batch.events.length
    if (seen > 0) firstMs ||= Date.now()
    if (seen >= events) break
  }
  stop.abort()
  await send<Read>({ result: { firstMs, lastMs: Date.now() } })
  // The bench reads our CPU time once more, and then ends us.
}

await main(jobOf<ReaderJob>())
