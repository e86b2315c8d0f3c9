import type { Checkpoint, CheckpointStore, TransactionalStore } from '../../src/checkpoint/checkpoint.ts'
import { parseCheckpoint, serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { Fenced, Retryable } from '../../src/errors.ts'
import type { StoredPosition } from '../../src/position.ts'
import { packRecords } from '../../src/record-headers.ts'
import type { Entry } from './kafka.ts'
import { call, type Place } from './schedule.ts'
import { checkpointTopic } from './sinks.ts'
import type { Stored, World } from './world.ts'

/**
 * A store with compare-and-set, such as MongoDB's: who claims an epoch first has it, if nobody has saved since it was
 * loaded. Each save is judged (G1).
 */
export function comparingStore(world: World, place: Place, writer: object): CheckpointStore {
  let loaded: Stored | undefined
  return {
    ...startOf(world, place),
    async load(_pipeline, slot, signal) {
      loaded = await call(place, 'store.load', () => world.stored.get(slot), signal)
      return loaded && parse(loaded.text)
    },
    async save(checkpoint) {
      const { slot, epoch } = checkpoint
      const text = textOf(checkpoint)
      await call(place, 'store.save', () => {
        const stored = world.stored.get(slot)
        if (stored && (stored.epoch > epoch || (stored.epoch === epoch && stored.writer !== writer))) {
          throw new Fenced('CHECKPOINT_FENCED', `the store has epoch ${stored.epoch}`)
        }
        if (stored && stored.epoch < epoch && stored.writer !== writer && stored.save !== loaded?.save) {
          throw new Retryable('CHECKPOINT_UNAVAILABLE', `epoch ${stored.epoch} has saved since it was loaded`)
        }
        world.stored.set(slot, { text, epoch, writer, save: (stored?.save ?? 0) + 1 })
        world.judgeCheckpoint(slot, text, world.acknowledged)
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** The first start that was ever proposed counts, on every slot. */
function startOf(world: World, place: Place): Pick<CheckpointStore, 'fixStart'> {
  const fix = (proposed: StoredPosition): StoredPosition => {
    world.start ??= proposed
    world.mongo.begin()
    return world.start
  }
  return {
    fixStart: (_pipeline, proposed, signal) => call(place, 'store.start', () => fix(proposed), signal),
  }
}

function textOf(checkpoint: Checkpoint): string {
  return serializeCheckpoint(checkpoint).toString()
}

function parse(text: string): Checkpoint {
  return parseCheckpoint(Buffer.from(text), 'the simulated store')
}

/**
 * How far a load reads: to a mark of its own, which only the true leader acknowledges; to the high watermark that whoever
 * was asked has named; or only to what readers may see at that moment.
 */
export type LoadsUpTo = 'mark' | 'high watermark' | 'last stable offset'

/** Checkpoints as records of Kafka, one partition a slot. */
export function kafkaStore(world: World, place: Place, upTo: LoadsUpTo = 'mark'): TransactionalStore {
  return {
    ...startOf(world, place),
    async load(_pipeline, slot, signal) {
      const latest = latestOf(await readCheckpoints({ world, place, upTo }, slot, signal))
      return latest?.checkpoint === undefined ? undefined : parse(latest.checkpoint)
    },
    async save(checkpoint) {
      const text = textOf(checkpoint)
      const entry = { key: 'orders', change: 0, slot: place.slot, writer: 0, checkpoint: text, transaction: undefined }
      await call(place, 'store.save', () => {
        world.kafka.checkpoints[place.slot]?.append(undefined, 0, [entry])
        world.judgeCheckpoint(place.slot, text, world.acknowledged)
      })
    },
    toRecords(checkpoint) {
      const at = { topic: checkpointTopic, partition: checkpoint.slot, key: Buffer.from('orders') }
      const value = serializeCheckpoint(checkpoint)
      return packRecords([{ ...at, value, headers: {}, timestampMs: world.time.nowMs }])
    },
    async [Symbol.asyncDispose]() {},
  }
}

function latestOf(entries: readonly Entry[]): Entry | undefined {
  return entries.findLast(({ checkpoint }) => checkpoint !== undefined)
}

interface Reading {
  readonly world: World
  readonly place: Place
  readonly upTo: LoadsUpTo
}

/** Each question may be answered by another broker, and by one that does not know that it was replaced. */
async function readCheckpoints({ world, place, upTo }: Reading, slot: number, signal: AbortSignal): Promise<Entry[]> {
  const { kafka } = world
  const log = kafka.checkpoints[slot]!
  const end =
    upTo === 'mark'
      ? await call(place, 'store.mark', () => log.mark(slot), signal)
      : await call(place, 'store.offset', () => kafka.answering(log).highWatermark, signal)
  if (upTo === 'last stable offset') return call(place, 'store.load', () => kafka.answering(log).committed(), signal)
  for (;;) {
    await kafka.stable(log, end)
    const read = (): Entry[] | undefined => {
      const broker = kafka.answering(log)
      return broker.lastStableOffset < end ? undefined : broker.committed(end)
    }
    const entries = await call(place, 'store.load', read, signal)
    if (entries) return entries
  }
}
