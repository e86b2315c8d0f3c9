import type { Checkpoint, CheckpointStore, TransactionalStore } from '../../src/checkpoint/checkpoint.ts'
import { Fenced } from '../../src/errors.ts'
import { packRecords } from '../../src/record-headers.ts'
import type { Entry } from './kafka.ts'
import { call, type Place } from './schedule.ts'
import { checkpointTopic } from './sinks.ts'
import type { World } from './world.ts'

/** A store with compare-and-set, such as MongoDB's: who claims an epoch first has it. Each save is judged (G1). */
export function comparingStore(world: World, place: Place, writer: object): CheckpointStore {
  return {
    async load(_pipeline, slot, signal) {
      const stored = await call(place, 'store.load', () => world.stored.get(slot), signal)
      return stored && (JSON.parse(stored.text) as Checkpoint)
    },
    async save(checkpoint) {
      const { slot, epoch } = checkpoint
      const text = JSON.stringify(checkpoint)
      await call(place, 'store.save', () => {
        const stored = world.stored.get(slot)
        if (stored && (stored.epoch > epoch || (stored.epoch === epoch && stored.writer !== writer))) {
          throw new Fenced('CHECKPOINT_FENCED', `the store has epoch ${stored.epoch}`)
        }
        world.stored.set(slot, { text, epoch, writer })
        world.judgeCheckpoint(slot, text, world.acknowledged)
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}

/**
 * How far a load reads: to a mark of its own, which only the true leader acknowledges; to the high watermark that whoever
 * was asked has named; or only to what readers may see at that moment.
 */
export type LoadsUpTo = 'mark' | 'high watermark' | 'last stable offset'

/** Checkpoints as records of Kafka, one partition a slot. */
export function kafkaStore(world: World, place: Place, upTo: LoadsUpTo = 'mark'): TransactionalStore {
  return {
    async load(_pipeline, slot, signal) {
      const entries = await readCheckpoints({ world, place, upTo }, slot, signal)
      const latest = entries.findLast(({ checkpoint }) => checkpoint !== undefined)
      return latest?.checkpoint === undefined ? undefined : (JSON.parse(latest.checkpoint) as Checkpoint)
    },
    async save(checkpoint) {
      const text = JSON.stringify(checkpoint)
      const entry = { key: 'orders', change: 0, slot: place.slot, writer: 0, checkpoint: text, transaction: undefined }
      await call(place, 'store.save', () => {
        world.kafka.checkpoints[place.slot]?.append(undefined, 0, [entry])
        world.judgeCheckpoint(place.slot, text, world.acknowledged)
      })
    },
    toRecords(checkpoint) {
      const at = { topic: checkpointTopic, partition: checkpoint.slot, key: Buffer.from('orders') }
      const value = Buffer.from(JSON.stringify(checkpoint))
      return packRecords([{ ...at, value, headers: {}, timestampMs: world.nowMs }])
    },
    async [Symbol.asyncDispose]() {},
  }
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
