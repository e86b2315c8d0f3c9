import { type Document, type MongoClient, Timestamp } from 'mongodb'
import { type Clock, steady } from '../clock.ts'
import { runCommand } from './command.ts'
import type { OplogRate } from './source.ts'
import { readOplogWindow } from './window.ts'

/** The part of the oplog that is looked at closely, and in which steps. */
const recentS = 60
const stepMs = 10_000
/** A minute of a very busy oplog is not worth more of the server's time; the average is enough then. */
const scanLimitMs = 3_000
/**
 * What else is looked at: busy hours lie back a while at most starts. More than so many seconds are not worth it, nor
 * more time of the server.
 */
const stretchBits = 7
const stretchesLimitMs = 3_000

/**
 * How fast the primary's oplog grows. undefined where there is none to see: without the right to read `local`, behind
 * mongos, and for an oplog of no length. Errors are the driver's.
 */
export async function readOplogRate(
  client: MongoClient,
  given: Clock,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<OplogRate | undefined> {
  const clock = steady(given)
  const window = await readOplogWindow(client, clock, deadlineMs, signal)
  if (window === undefined || window.newestMs <= window.oldestMs) return undefined
  const aggregate = async (pipeline: Document[]): Promise<Document | undefined> => {
    const command = { aggregate: 'oplog.rs', pipeline, cursor: {}, maxTimeMS: scanLimitMs }
    const reply = await runCommand(client.db('local'), command, { raw: false, deadlineMs, clock, signal })
    const [first]: Document[] = reply.cursor.firstBatch
    return first
  }
  const stats = await aggregate([{ $collStats: { storageStats: {} } }])
  const averageBytesPerSecond = (1000 * Number(stats?.storageStats?.size)) / (window.newestMs - window.oldestMs)
  if (!Number.isFinite(averageBytesPerSecond)) return undefined
  const rateOf = async (pipeline: Document[]): Promise<number | undefined> => {
    try {
      return (1000 * Number((await aggregate(pipeline))?.bytes ?? 0)) / stepMs
    } catch {
      signal.throwIfAborted()
      return undefined
    }
  }
  const recent = await rateOf(busiestStep(window.newestMs))
  const rates: number[] = []
  const untilMs = clock.nowMs() + stretchesLimitMs
  for (const startMs of recent === undefined ? [] : stretchStartsMs(window.oldestMs, window.newestMs)) {
    const rate = clock.nowMs() < untilMs ? await rateOf(stretch(startMs)) : undefined
    if (rate === undefined) break
    rates.push(rate)
  }
  return {
    averageBytesPerSecond,
    peakBytesPerSecond: recent === undefined ? undefined : Math.max(recent, ...rates),
    stretches: rates.length,
    windowMs: window.newestMs - window.oldestMs,
  }
}

/**
 * Where to look, from `oldestMs` to the last minute before `newestMs`, at times that do not overlap. Each lies in the
 * largest gap between those before it (van der Corput), so that wherever one stops they are spread evenly.
 */
export function stretchStartsMs(oldestMs: number, newestMs: number): number[] {
  const spanMs = newestMs - 1000 * recentS - oldestMs
  const bits = Math.min(stretchBits, Math.floor(Math.log2(spanMs / stepMs)))
  if (!(bits >= 0)) return []
  return Array.from({ length: 2 ** bits }, (_, i) => oldestMs + (spanMs * reversed(i, bits)) / 2 ** bits)
}

function reversed(number: number, bits: number): number {
  let result = 0
  for (let bit = 0; bit < bits; bit++) if ((number >> bit) & 1) result |= 1 << (bits - 1 - bit)
  return result
}

/** The bytes of ten seconds. */
function stretch(startMs: number): Document[] {
  const [from, to] = [startMs, startMs + stepMs].map(ms => new Timestamp({ t: Math.floor(ms / 1000), i: 0 }))
  return [
    { $match: { ts: { $gte: from, $lt: to } } },
    { $group: { _id: null, bytes: { $sum: { $bsonSize: '$$ROOT' } } } },
  ]
}

/** The bytes of the ten seconds that have the most of them, in the last minute of the oplog. */
function busiestStep(newestMs: number): Document[] {
  const from = new Timestamp({ t: Math.floor(newestMs / 1000) - recentS, i: 0 })
  return [
    { $match: { ts: { $gte: from } } },
    {
      $group: {
        _id: { $floor: { $divide: [{ $toLong: '$wall' }, stepMs] } },
        bytes: { $sum: { $bsonSize: '$$ROOT' } },
      },
    },
    { $sort: { bytes: -1 } },
    { $limit: 1 },
  ]
}
