import { duration, time } from '../admin/wording.ts'
import { Position } from '../position.ts'
import type { OplogWindow } from '../source/source.ts'
import { explainFault, loadAll, openSource } from './checkpoint-access.ts'
import type { StoredSlot } from './checkpoint-plan.ts'
import type { Common } from './common.ts'
import { exitCodes } from './io.ts'
import { table } from './table.ts'
import { openStore } from './target.ts'

export interface ShowOptions {
  readonly pipeline: string | undefined
  readonly json: boolean
}

/** Where every pipeline would continue. Moves nothing, and does not need MongoDB: without it the headroom is not known. */
export async function showCheckpoints(common: Common, options: ShowOptions, stop: AbortSignal): Promise<number> {
  const { io, config, clock } = common
  try {
    const window = await oplogWindow(common, stop)
    await using store = await openStore(common, undefined, stop)
    const stored = await loadAll(common, store, options.pipeline, stop)
    const rows = stored.map(each => shown(each, window, clock.nowMs()))
    io.stdout.write(
      options.json ? `${JSON.stringify({ deployment: config.name, checkpoints: rows }, null, 2)}\n` : text(rows),
    )
    return exitCodes.done
  } catch (error) {
    return explainFault(error, common, stop)
  }
}

/** undefined where MongoDB is away or does not let us see it; stderr says so. */
async function oplogWindow(common: Common, stop: AbortSignal): Promise<OplogWindow | undefined> {
  try {
    await using mongo = await openSource(common, stop)
    return await mongo.window(stop)
  } catch (error) {
    stop.throwIfAborted()
    const message = error instanceof Error ? error.message : String(error)
    common.io.stderr.write(`mongo2kafka checkpoint: the headroom is not known: ${common.redact(message)}\n`)
    return undefined
  }
}

/** A position is exact to the second only: within the second of the oldest entry there is none left, but it is not lost. */
function headroom(positionMs: number, oldestMs: number): number {
  const ms = positionMs - oldestMs
  return ms < 0 && ms > -1_000 ? 0 : ms
}

type Row = ReturnType<typeof shown>

function shown({ pipeline, slot, checkpoint }: StoredSlot, window: OplogWindow | undefined, nowMs: number) {
  if (!checkpoint) return { pipeline, slot, position: null }
  const position = Position.parse(checkpoint.position)
  return {
    pipeline,
    slot,
    position: { time: time(position.timeMs), clusterTime: position.clusterTime.toString(), kind: position.kind },
    ageMs: nowMs - position.timeMs,
    headroomMs: window ? headroom(position.timeMs, window.oldestMs) : null,
    savedAt: time(checkpoint.savedAtMs),
    generation: checkpoint.generation,
    epoch: checkpoint.epoch,
    partitions: checkpoint.partitions,
  }
}

const headings = ['PIPELINE', 'SLOT', 'POSITION', 'AGE', 'HEADROOM', 'SAVED', 'GENERATION', 'EPOCH']

function text(rows: readonly Row[]): string {
  const lines = rows.map(row => {
    if (row.position === null) return [row.pipeline, String(row.slot), 'none yet']
    const { headroomMs } = row
    const headroom = headroomMs !== null && headroomMs < 0 ? 'LOST: the oplog begins later' : duration(headroomMs)
    const { pipeline, slot, position, ageMs, savedAt, generation, epoch } = row
    return [pipeline, String(slot), position.time, duration(ageMs), headroom, savedAt, `${generation}`, `${epoch}`]
  })
  return table(headings, lines)
}
