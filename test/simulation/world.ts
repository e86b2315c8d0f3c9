import type { Checkpoint, CheckpointStore } from '../../src/checkpoint/checkpoint.ts'
import type { Clock } from '../../src/clock.ts'
import type { Encoder } from '../../src/encode/encode.ts'
import { type RecordBlock, RecordBlocks } from '../../src/encode/record-block.ts'
import { Retryable } from '../../src/errors.ts'
import type { ChangeBatch, ChangeEvent } from '../../src/event.ts'
import { Position } from '../../src/position.ts'
import { type OutRecord, type Records, windowBytes } from '../../src/record.ts'
import { outRecord } from '../../src/record-headers.ts'
import type { Sink } from '../../src/sink/sink.ts'
import type { Source } from '../../src/source/source.ts'
import { call, type Process } from './schedule.ts'

/** One record as it stands in the simulated Kafka. */
export interface Landed {
  readonly key: string
  /** The change's number in MongoDB's history, from 1. */
  readonly change: number
  /** Which opening of the sink wrote it. */
  readonly writer: number
}

export const partitionCount = 3
export const inFlightLimitBytes = 420

/** MongoDB's history, Kafka's partitions and the stored checkpoint: what survives a crash of the daemon. */
export class World {
  readonly history: readonly string[]
  readonly partitions: Landed[][] = Array.from({ length: partitionCount }, () => [])
  readonly violations: string[] = []
  readonly acknowledged = new Set<number>()
  checkpoint: string | undefined
  writers = 0
  outstandingBytes = 0
  nowMs = 1_700_000_000_000

  constructor(random: () => number, changes: number, keys: number) {
    this.history = Array.from({ length: changes }, () => `k${Math.floor(random() * keys)}`)
  }
}

const nothing = { bytes: Buffer.alloc(0), start: 0, end: 0 }

/** Change number n has cluster time n; the position after it is just before the first event of n + 1. */
function eventAt(world: World, change: number): ChangeEvent {
  const place = { raw: nothing, operation: 'update', db: 'shop', collection: world.history[change - 1] ?? '' }
  const images = { documentKey: undefined, id: undefined, after: undefined, before: undefined, label: 'none' } as const
  return { ...place, ...images, token: undefined, position: Position.ofTime(BigInt(change)), timestampMs: change }
}

export function simulatedSource(world: World, process: Process): Source {
  return {
    now: async signal => {
      await call(process, 'source.now', () => undefined, signal)
      return Position.ofTime(1n)
    },
    async *read(from, signal): AsyncGenerator<ChangeBatch> {
      let next = Number(from.clusterTime)
      while (!signal.aborted) {
        const size = Math.min(Math.floor(process.schedule.random() * 4), world.history.length + 1 - next)
        const caughtUp = next > world.history.length
        try {
          if (caughtUp) await untilAborted(signal)
          else await call(process, 'source.read', () => undefined, signal)
        } catch (error) {
          if (signal.aborted) return
          throw error
        }
        const events = Array.from({ length: size }, (_, index) => eventAt(world, next + index))
        next += size
        yield { events, position: Position.ofTime(BigInt(next)), bytes: size }
      }
    },
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}

/** Blocks are used again as in the daemon, so that a loop which keeps one too long is caught. */
export function simulatedEncoder(): Encoder {
  const blocks = new RecordBlocks()
  let block: RecordBlock
  return {
    begin() {
      block = blocks.take()
      return block
    },
    encode({ collection, position, timestampMs }) {
      block.out.text(collection)
      block.endKey(collection.charCodeAt(1))
      block.out.text(String(position.clusterTime))
      block.endValue(false)
      block.out.copy(noHeaders, 0, 1)
      block.endRecord(timestampMs)
    },
  }
}
const noHeaders = Buffer.of(0)

/**
 * A sink as hostile as its interface allows: partitions fail one by one, a failed write may have landed, later writes
 * to other partitions may still land, acknowledgements come in any order. It checks the window (G7) on the way.
 */
export function simulatedSink(world: World, process: Process): Sink {
  const writer = ++world.writers
  const tails = Array.from({ length: partitionCount }, () => Promise.resolve())
  let broken: Error | undefined

  const land = async (
    partition: number,
    earlier: Promise<void>,
    records: readonly OutRecord[],
    signal: AbortSignal,
  ) => {
    await earlier // A partition refuses what follows a failed batch, as Kafka's sequence numbers make it.
    if (signal.aborted) throw signal.reason
    await call(process, `sink.send ${partition}`, () => {
      for (const { key, value } of records) {
        world.partitions[partition]?.push({ key: key.toString(), change: Number(value), writer })
      }
    })
  }
  const send = async (columns: Records, signal: AbortSignal): Promise<void> => {
    if (broken) throw new Retryable('SINK_UNAVAILABLE', 'the sink has failed before', { cause: broken })
    const bytes = windowBytes(columns)
    const records = Array.from({ length: columns.count }, (_, i) => outRecord(columns, i))
    world.outstandingBytes += bytes
    if (world.outstandingBytes > Math.max(inFlightLimitBytes, bytes)) {
      world.violations.push(`G7: ${world.outstandingBytes} bytes in flight, limit ${inFlightLimitBytes}`)
    }
    const parts = Map.groupBy(records, record => record.partition)
    const landing = Array.from(parts, ([partition, own]) => {
      const landed = land(partition, tails[partition] ?? Promise.resolve(), own, signal)
      tails[partition] = landed
      landed.catch(() => undefined)
      return landed
    })
    const results = await Promise.allSettled(landing)
    world.outstandingBytes -= bytes
    const failure = results.find(result => result.status === 'rejected')
    if (failure) {
      broken = failure.reason
      throw failure.reason
    }
    for (const { value } of records) world.acknowledged.add(Number(value))
  }
  return {
    capabilities: { headers: true, idempotence: true, transactions: false },
    send,
    async partitions(_topic, _spec, signal) {
      await call(process, 'sink.partitions', () => undefined, signal)
      return partitionCount
    },
    async [Symbol.asyncDispose]() {
      await call(process, 'sink.close', () => undefined)
    },
  }
}

/** One checkpoint that survives crashes. Each save is judged: everything before its position must be acknowledged (G1). */
export function simulatedStore(world: World, process: Process): CheckpointStore {
  return {
    async load(_pipeline, _slot, signal) {
      await call(process, 'store.load', () => undefined, signal)
      return world.checkpoint === undefined ? undefined : (JSON.parse(world.checkpoint) as Checkpoint)
    },
    async save(checkpoint) {
      const text = JSON.stringify(checkpoint)
      await call(process, 'store.save', () => {
        world.checkpoint = text
        const upTo = Number(checkpoint.position.clusterTime)
        for (let change = 1; change < upTo; change++) {
          if (!world.acknowledged.has(change)) {
            world.violations.push(`G1: saved position ${upTo} before change ${change} was acknowledged`)
          }
        }
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}

export function simulatedClock(world: World, process: Process): Clock {
  return {
    nowMs: () => world.nowMs,
    random: process.schedule.random,
    async sleep(ms, signal) {
      const dueMs = world.nowMs + ms
      await call(process, 'clock.sleep', () => undefined, signal)
      world.nowMs = Math.max(world.nowMs, dueMs)
    },
  }
}
