import type { Document, MongoClient } from 'mongodb'
import type { Clock } from '../clock.ts'
import { classify } from './classify.ts'
import { runCommand } from './command.ts'
import type { OplogWindow } from './source.ts'

/**
 * First and last entry of the primary's oplog. undefined where there is none to see: without the right to read
 * `local`, and behind mongos. Throws Retryable.
 */
export async function readOplogWindow(
  client: MongoClient,
  clock: Clock,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<OplogWindow | undefined> {
  const options = { raw: false, deadlineMs, clock, signal }
  const edge = async (direction: 1 | -1): Promise<number | undefined> => {
    const reply = await runCommand(
      client.db('local'),
      { find: 'oplog.rs', sort: { $natural: direction }, limit: 1, projection: { wall: 1 }, singleBatch: true },
      options,
    )
    const [entry]: Document[] = reply.cursor.firstBatch
    return entry?.wall instanceof Date ? entry.wall.getTime() : undefined
  }
  try {
    const { me } = await runCommand(client.db('admin'), { hello: 1 }, options)
    if (typeof me !== 'string') return undefined
    const [oldestMs, newestMs] = [await edge(1), await edge(-1)]
    if (oldestMs === undefined || newestMs === undefined) return undefined
    return { member: me, oldestMs, newestMs }
  } catch (error) {
    signal.throwIfAborted()
    const fault = classify(error, 'lookup')
    if (fault.code === 'SOURCE_UNAUTHORIZED') return undefined
    throw fault
  }
}
