import { type Document, type MongoClient, Timestamp } from 'mongodb'
import type { Clock } from '../clock.ts'
import { runCommand } from './command.ts'
import type { OplogRate } from './source.ts'
import { readOplogWindow } from './window.ts'

/** The part of the oplog that is looked at closely, and in which steps. */
const recentS = 60
const stepMs = 10_000
/** A minute of a very busy oplog is not worth more of the server's time; the average is enough then. */
const scanLimitMs = 3_000

/**
 * How fast the primary's oplog grows. undefined where there is none to see: without the right to read `local`, behind
 * mongos, and for an oplog of no length. Errors are the driver's.
 */
export async function readOplogRate(
  client: MongoClient,
  clock: Clock,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<OplogRate | undefined> {
  const window = await readOplogWindow(client, clock, deadlineMs, signal)
  if (window === undefined || window.newestMs <= window.oldestMs) return undefined
  const aggregate = async (pipeline: Document[]): Promise<Document | undefined> => {
    const command = { aggregate: 'oplog.rs', pipeline, cursor: {}, maxTimeMS: scanLimitMs }
    const reply = await runCommand(client, 'local', command, { raw: false, deadlineMs, clock, signal })
    const [first]: Document[] = reply.cursor.firstBatch
    return first
  }
  const stats = await aggregate([{ $collStats: { storageStats: {} } }])
  const averageBytesPerSecond = (1000 * Number(stats?.storageStats?.size)) / (window.newestMs - window.oldestMs)
  if (!Number.isFinite(averageBytesPerSecond)) return undefined
  const peakBytesPerSecond = await aggregate(busiestStep(window.newestMs)).then(
    found => (1000 * Number(found?.bytes ?? 0)) / stepMs,
    () => {
      signal.throwIfAborted()
      return undefined
    },
  )
  return { averageBytesPerSecond, peakBytesPerSecond }
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
