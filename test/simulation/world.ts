import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { type Fault, Fenced, PoisonEvent, Retryable } from '../../src/errors.ts'
import type { StoredPosition } from '../../src/position.ts'
import { futurePatienceMs } from '../../src/source/future.ts'
import { Time } from './clock.ts'
import { Kafka, type Transaction } from './kafka.ts'
import { firstAfter, Mongo } from './mongo.ts'
import { codesOfDenial, type Schedule } from './schedule.ts'

export const partitionCount = 2
const topic = 'shop'
export const deadLetterTopic = `${topic}.dlq`

export interface WorldOptions {
  readonly changes: number
  readonly keys: number
  readonly slots: number
  /** Changes whose record Kafka refuses, everywhere but among the dead letters. */
  readonly refused: readonly number[]
  /** The target fences nobody and has no transactions: it is read back. */
  readonly isReadBack: boolean
}

/** MongoDB's history, Kafka and the other stored checkpoints: what survives a crash of the daemon. */
export class World {
  readonly schedule: Schedule
  readonly time = new Time()
  readonly mongo: Mongo
  readonly slots: number
  readonly refused: ReadonlySet<number>
  readonly isReadBack: boolean
  readonly kafka: Kafka
  readonly violations: string[] = []
  /** Changes whose record was acknowledged, outside of transactions. */
  readonly acknowledged = new Set<number>()
  /** Changes whose record was committed. */
  readonly committed = new Set<number>()
  /** By slot, in a store other than Kafka, with who claimed the epoch. */
  readonly stored = new Map<number, Stored>()
  /** Where the pipeline starts that has no checkpoint yet, on every slot. */
  start: StoredPosition | undefined
  /** Changes that need not arrive: MongoDB lost them, and a person has said that the pipeline is to go on. */
  readonly excused = new Set<number>()
  /** Changes that may stand there twice although the target was read back. */
  readonly repeatable = new Set<number>()
  /** Slots whose checkpoint was damaged. */
  readonly damaged = new Set<number>()
  /** Slots whose position MongoDB no longer reaches, until they have said so. */
  readonly takenBack = new Set<number>()
  /** Slots and topics whose partition count the slot's checkpoint holds. */
  readonly #counted = new Set<string>()
  openings = 0
  /** Which sink of a slot was the last to fence the others. */
  readonly lastOpened = new Map<number, number>()

  constructor(schedule: Schedule, { changes, keys, slots, refused, isReadBack }: WorldOptions) {
    const history = Array.from({ length: changes }, () => `k${Math.floor(schedule.random() * keys)}`)
    this.schedule = schedule
    this.mongo = new Mongo(schedule, history, () => this.time.steadyMs)
    this.slots = slots
    this.refused = new Set(refused)
    this.isReadBack = isReadBack
    this.kafka = new Kafka(schedule, partitionCount, slots)
    this.kafka.onCommit = transaction => this.#judgeCommit(transaction)
  }

  get history(): readonly string[] {
    return this.mongo.history
  }

  /** A few records at a time; those with headers are twice as large. */
  get inFlightLimitBytes(): number {
    return this.isReadBack ? 840 : 420
  }

  slotOf(key: string): number {
    return Number(key.slice(1)) % this.slots
  }

  /** A checkpoint must never be ahead of what its readers can rely on (G1). */
  judgeCheckpoint(slot: number, text: string, durable: ReadonlySet<number>): void {
    const { position, partitions } = readText(text)
    this.mongo.begin()
    for (const counted of Object.keys(partitions)) this.#counted.add(`${slot}/${counted}`)
    const upTo = firstAfter({ kind: position.kind, clusterTime: BigInt(position.clusterTime) })
    for (let change = 1; change < upTo; change++) {
      if (this.slotOf(this.history[change - 1] ?? '') !== slot) continue
      if (durable.has(change) || this.excused.has(change)) continue
      this.violations.push(`G1: the checkpoint ${upTo} of slot ${slot} is ahead of change ${change}`)
    }
  }

  /** A topic that grew after a crash would send a document's changes elsewhere (G2). */
  judgeRecords(slot: number, topic: string | undefined): void {
    if (this.#counted.has(`${slot}/${topic}`)) return
    this.violations.push(`G2: slot ${slot} has records in ${topic} before its partition count`)
  }

  /** Only for what is so may a person be called (G8). */
  judgeFault(slot: number, fault: Fault, wasStopped: boolean): void {
    if (fault instanceof Fenced) return
    if (wasStopped && (fault instanceof Retryable || fault instanceof PoisonEvent)) return // What is owed is replayed.
    if (this.#isTrue(slot, fault.code)) return
    this.violations.push(`G8: slot ${slot} stopped with ${fault.code} without a reason: ${fault.message}`)
  }

  #isTrue(slot: number, code: Fault['code']): boolean {
    if (codesOfDenial.has(code)) return this.schedule.wasDenied
    if (code === 'CHECKPOINT_CORRUPT') return this.damaged.has(slot)
    if (code === 'SOURCE_HISTORY_LOST') return this.mongo.firstTime > 0
    if (code !== 'SOURCE_FROM_FUTURE') return false
    return this.mongo.isRestored || this.mongo.longestBehindMs >= futurePatienceMs
  }

  #judgeCommit({ entries }: Transaction): void {
    for (const { change } of entries) if (change > 0) this.committed.add(change)
    for (const { slot, checkpoint } of entries) {
      if (checkpoint !== undefined) this.judgeCheckpoint(slot, checkpoint, this.committed)
    }
    for (const { slot, topic, change } of entries) if (change > 0) this.judgeRecords(slot, topic)
  }
}

/** A checkpoint in a store that compares, with who claimed the epoch. */
export interface Stored {
  readonly text: string
  readonly epoch: number
  readonly writer: object
  /** Its number among all saves. */
  readonly save: number
}

/** What a checkpoint says, its checksum unseen. */
export function readText(text: string): Checkpoint {
  return JSON.parse(text.slice(text.indexOf(' ') + 1)) as Checkpoint
}
