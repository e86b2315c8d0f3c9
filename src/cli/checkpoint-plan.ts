import { duration, time } from '../admin/wording.ts'
import { type Checkpoint, checkpointFormatVersion } from '../checkpoint/checkpoint.ts'
import { Position } from '../position.ts'
import { table } from './table.ts'

/** One pipeline on one slot, and what is stored for it. */
export interface StoredSlot {
  readonly pipeline: string
  readonly slot: number
  /** undefined: never saved. */
  readonly checkpoint: Checkpoint | undefined
}

/** What the checkpoint of a slot without one is made of. */
export interface Origin {
  readonly deployment: string
  readonly cluster: string
  readonly filterHash: (pipeline: string) => string
}

/** The seconds of a cluster time have 32 bits. */
const lastSecond = 2 ** 32 - 1

/** The place just before the first change of the second that holds `ms`, or the nearest that MongoDB can have. */
export function placeOf(ms: number): Position {
  const second = Math.min(Math.max(0, Math.floor(ms / 1_000)), lastSecond)
  return Position.ofTime(BigInt(second) << 32n)
}

/**
 * The checkpoints that move `stored` to `to`. Each pipeline gets one generation on all its slots, later than all it
 * had: what is sent again then counts as new for whoever drops repeats by `m2k.position`. The later epoch keeps a worker
 * that is still at it from writing over them, where the store can.
 */
export function movedTo(to: Position, stored: readonly StoredSlot[], origin: Origin, nowMs: number): Checkpoint[] {
  return stored.map(({ pipeline, slot, checkpoint }) => {
    const siblings = stored.filter(each => each.pipeline === pipeline)
    const generation = 1 + Math.max(-1, ...siblings.map(each => each.checkpoint?.generation ?? -1))
    return {
      formatVersion: checkpointFormatVersion,
      deployment: origin.deployment,
      pipeline,
      slot,
      epoch: (checkpoint?.epoch ?? 0) + 1,
      generation,
      revision: checkpoint?.revision ?? 0,
      cluster: checkpoint?.cluster ?? origin.cluster,
      filterHash: checkpoint?.filterHash ?? origin.filterHash(pipeline),
      position: to.toJSON(),
      partitions: checkpoint?.partitions ?? partitionsOf(siblings),
      ends: checkpoint?.ends ?? {},
      savedAtMs: nowMs,
    }
  })
}

/** The slots of a pipeline write to the same topics, whose partition counts stay as they were at the first use (G2). */
function partitionsOf(siblings: readonly StoredSlot[]): Checkpoint['partitions'] {
  return Object.assign({}, ...siblings.map(({ checkpoint }) => checkpoint?.partitions))
}

/** What would change, a line a pipeline and slot, for the one who has to say yes. */
export function planText(to: Position, stored: readonly StoredSlot[], moved: readonly Checkpoint[]): string {
  const rows = stored.map(({ pipeline, slot, checkpoint }, i) => {
    const from = checkpoint && Position.parse(checkpoint.position)
    return [
      pipeline,
      String(slot),
      from ? time(from.timeMs) : 'none',
      time(to.timeMs),
      `${checkpoint?.generation ?? '–'} -> ${moved[i]?.generation}`,
      effect(from, to),
    ]
  })
  return table(['PIPELINE', 'SLOT', 'FROM', 'TO', 'GENERATION', 'EFFECT'], rows)
}

function effect(from: Position | undefined, to: Position): string {
  if (!from) return 'starts there'
  const ms = to.timeMs - from.timeMs
  if (to.compare(from) <= 0) return `${duration(-ms)} back: the changes since then are sent again`
  const size = ms === 0 ? 'less than 1 s' : duration(ms)
  return `${size} forward: THE CHANGES BETWEEN ARE NEVER SENT`
}

/** Whether a worker has been at `later` since `earlier` was read. */
export function changed(earlier: readonly StoredSlot[], later: readonly StoredSlot[]): StoredSlot | undefined {
  return later.find((slot, i) => JSON.stringify(slot.checkpoint) !== JSON.stringify(earlier[i]?.checkpoint))
}
