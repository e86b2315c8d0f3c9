import { serialize } from 'bson'
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import type { Clock } from '../../src/clock.ts'
import type { Encoder } from '../../src/encode/encode.ts'
import type { RecordBlock, RecordBlocks } from '../../src/encode/record-block.ts'
import type { ChangeBatch, ChangeEvent } from '../../src/event.ts'
import { Position } from '../../src/position.ts'
import type { Source } from '../../src/source/source.ts'
import { Kafka, type Transaction } from './kafka.ts'
import { call, type Place, type Schedule } from './schedule.ts'

export const partitionCount = 2
export const inFlightLimitBytes = 420

/** Limits that must not be met while anything else can happen. */
export const longSleepMs = 1_000_000

export interface WorldOptions {
  readonly changes: number
  readonly keys: number
  readonly slots: number
  /** Changes whose record Kafka refuses, everywhere but among the dead letters. */
  readonly refused: readonly number[]
}

/** MongoDB's history, Kafka and the other stored checkpoints: what survives a crash of the daemon. */
export class World {
  readonly history: readonly string[]
  readonly slots: number
  readonly refused: ReadonlySet<number>
  readonly kafka: Kafka
  readonly violations: string[] = []
  /** Changes whose record was acknowledged, outside of transactions. */
  readonly acknowledged = new Set<number>()
  /** Changes whose record was committed. */
  readonly committed = new Set<number>()
  /** By slot, in a store other than Kafka, with who claimed the epoch. */
  readonly stored = new Map<number, { readonly text: string; readonly epoch: number; readonly writer: object }>()
  /** Slots and topics whose partition count the slot's checkpoint holds. */
  readonly #counted = new Set<string>()
  openings = 0
  /** Which sink of a slot was the last to fence the others. */
  readonly lastOpened = new Map<number, number>()
  nowMs = 1_700_000_000_000

  constructor(schedule: Schedule, { changes, keys, slots, refused }: WorldOptions) {
    this.history = Array.from({ length: changes }, () => `k${Math.floor(schedule.random() * keys)}`)
    this.slots = slots
    this.refused = new Set(refused)
    this.kafka = new Kafka(schedule, partitionCount, slots)
    this.kafka.onCommit = transaction => this.#judgeCommit(transaction)
  }

  slotOf(key: string): number {
    return Number(key.slice(1)) % this.slots
  }

  /** A checkpoint must never be ahead of what its readers can rely on (G1). */
  judgeCheckpoint(slot: number, text: string, durable: ReadonlySet<number>): void {
    const { position, partitions } = JSON.parse(text) as Checkpoint
    for (const counted of Object.keys(partitions)) this.#counted.add(`${slot}/${counted}`)
    const upTo = Number(position.clusterTime)
    for (let change = 1; change < upTo; change++) {
      if (this.slotOf(this.history[change - 1] ?? '') !== slot || durable.has(change)) continue
      this.violations.push(`G1: the checkpoint ${upTo} of slot ${slot} is ahead of change ${change}`)
    }
  }

  /** A topic that grew after a crash would send a document's changes elsewhere (G2). */
  judgeRecords(slot: number, topic: string | undefined): void {
    if (this.#counted.has(`${slot}/${topic}`)) return
    this.violations.push(`G2: slot ${slot} has records in ${topic} before its partition count`)
  }

  #judgeCommit({ entries }: Transaction): void {
    for (const { change } of entries) if (change > 0) this.committed.add(change)
    for (const { slot, checkpoint } of entries) {
      if (checkpoint !== undefined) this.judgeCheckpoint(slot, checkpoint, this.committed)
    }
    for (const { slot, topic, change } of entries) if (change > 0) this.judgeRecords(slot, topic)
  }
}

const topic = 'shop'
export const deadLetterTopic = `${topic}.dlq`

/** Of the event of change number n: after the bare cluster time n, before n + 1. */
export function positionOf(change: number): Position {
  const known = positions.get(change)
  if (known !== undefined) return known
  const data = `82${change.toString(16).padStart(16, '0')}2B022C0100295A1004`.toUpperCase()
  const position = Position.ofToken(Buffer.from(serialize({ _data: data })))
  positions.set(change, position)
  return position
}
const positions = new Map<number, Position>()

const nothing = { bytes: Buffer.alloc(0), start: 0, end: 0 }

/** Change number n has cluster time n; the position after a batch is just before the first event of the next one. */
function eventAt(world: World, change: number): ChangeEvent {
  const place = { raw: nothing, operation: 'update', db: topic, collection: world.history[change - 1] ?? '' }
  const images = { documentKey: undefined, id: undefined, after: undefined, before: undefined, label: 'none' } as const
  return { ...place, ...images, token: undefined, position: positionOf(change), timestampMs: change }
}

/** The changes of the place's slot; batches without any carry a position. */
export function simulatedSource(world: World, place: Place): Source {
  return {
    now: async signal => {
      await call(place, 'source.now', () => undefined, signal)
      return Position.ofTime(1n)
    },
    async *read(from, signal): AsyncGenerator<ChangeBatch> {
      let next = Number(from.clusterTime)
      while (!signal.aborted) {
        const size = Math.min(Math.floor(place.schedule.random() * 4), world.history.length + 1 - next)
        const caughtUp = next > world.history.length
        try {
          if (caughtUp) await untilAborted(signal)
          else await call(place, 'source.read', () => undefined, signal)
        } catch (error) {
          if (signal.aborted) return
          throw error
        }
        const all = Array.from({ length: size }, (_, index) => eventAt(world, next + index))
        const events = all.filter(({ collection }) => world.slotOf(collection) === place.slot)
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
export function simulatedEncoder(blocks: RecordBlocks): Encoder {
  let block: RecordBlock
  const encode = ({ collection, position, timestampMs }: ChangeEvent): void => {
    block.out.text(collection)
    block.endKey(collection.charCodeAt(1) >> 1) // Slots and partitions cross.
    block.out.text(String(position.clusterTime))
    block.endValue(false)
    block.out.copy(noHeaders, 0, 1)
    block.endRecord(timestampMs)
  }
  return {
    begin() {
      block = blocks.take()
      return block
    },
    encode,
    encodeDeadLetter: encode,
  }
}
const noHeaders = Buffer.of(0)

/** Sleeping is a call like any other: how long it takes is the schedule's. The clock may be set meanwhile. */
export function simulatedClock(world: World, place: Place): Clock {
  return {
    nowMs: () => world.nowMs,
    random: place.schedule.random,
    async sleep(ms, signal) {
      const dueMs = world.nowMs + ms
      if (ms >= longSleepMs) await place.schedule.last('clock.limit', place.process, signal)
      else await call(place, 'clock.sleep', () => undefined, signal)
      world.nowMs = Math.max(world.nowMs, dueMs)
    },
  }
}
