import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts'
import { serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { movedTo } from '../../src/cli/checkpoint-plan.ts'
import type { Fault } from '../../src/errors.ts'
import { Position } from '../../src/position.ts'
import type { Entry } from './kafka.ts'
import { firstAfter } from './mongo.ts'
import { transactionalIdOf } from './sinks.ts'
import { readText, type Stored, type World } from './world.ts'

/** A checkpoint that is damaged, as long as nothing else was written. */
interface Damage {
  /** What is stored is what it was. */
  undo(): void
}

/**
 * Whoever keeps the stored checkpoints: a disk that damages one, and the person who is called when a pipeline has
 * stopped for good, and does what the remedy says.
 */
export class Operator {
  readonly #world: World
  readonly #store: 'kafka' | 'comparing'
  readonly #damages = new Map<number, Damage>()

  constructor(world: World, store: 'kafka' | 'comparing') {
    this.#world = world
    this.#store = store
  }

  /** The slot's checkpoint is torn, empty, or has a false byte. */
  damage(slot: number): void {
    const { random } = this.#world.schedule
    this.#undo(slot)
    const spoil = (text: string): string => {
      const at = Math.floor(random() * text.length)
      if (random() < 0.3) return text.slice(0, at)
      return `${text.slice(0, at)}${text[at] === '0' ? '1' : '0'}${text.slice(at + 1)}`
    }
    const damage = this.#store === 'kafka' ? this.#damageRecord(slot, spoil) : this.#damageDocument(slot, spoil)
    if (damage === undefined) return
    this.#damages.set(slot, damage)
    this.#world.damaged.add(slot)
  }

  /** A pipeline has ended with `fault`, and nobody else works on its slot. */
  mend(slot: number, { code }: Fault): void {
    const { mongo } = this.#world
    if (code === 'CHECKPOINT_CORRUPT') this.#undo(slot)
    if (code === 'SOURCE_HISTORY_LOST') {
      this.#move(slot, BigInt(mongo.firstTime), position => mongo.hasLost(position))
    }
    if (code === 'SOURCE_FROM_FUTURE') {
      this.#move(slot, BigInt(mongo.lastTime + 1), position => this.#isAhead(position))
    }
  }

  /** Slots whose position is later than MongoDB. */
  ahead(): number[] {
    const slots = Array.from({ length: this.#world.slots }, (_, slot) => slot)
    return slots.filter(slot => {
      this.#undo(slot)
      const checkpoint = this.#read(slot)
      return checkpoint !== undefined && this.#isAhead(Position.parse(checkpoint.position))
    })
  }

  #isAhead({ clusterTime }: Position): boolean {
    return Number(clusterTime) > this.#world.mongo.lastTime + 1
  }

  /** `checkpoint set`: who was at it is fenced, and the changes between are never sent. */
  #move(slot: number, time: bigint, isNeeded: (position: Position) => boolean): void {
    const { kafka, mongo, excused, time: now } = this.#world
    kafka.fence(transactionalIdOf(slot))
    this.#undo(slot)
    const checkpoint = this.#read(slot)
    if (checkpoint === undefined) return
    const from = Position.parse(checkpoint.position)
    if (!isNeeded(from)) return
    const to = Position.ofTime(time)
    for (let change = firstAfter(from); change < firstAfter(to); change++) {
      if (this.#world.slotOf(mongo.history[change - 1] ?? '') === slot) excused.add(change)
    }
    const { deployment, cluster, filterHash } = checkpoint
    const origin = { deployment, cluster, filterHash: () => filterHash }
    const [moved] = movedTo(to, [{ pipeline: 'orders', slot, checkpoint }], origin, now.nowMs)
    if (moved) this.#write(slot, moved)
  }

  #undo(slot: number): void {
    this.#damages.get(slot)?.undo()
    this.#damages.delete(slot)
  }

  #read(slot: number): Checkpoint | undefined {
    const text = this.#store === 'kafka' ? this.#record(slot)?.checkpoint : this.#world.stored.get(slot)?.text
    return text === undefined ? undefined : readText(text)
  }

  #write(slot: number, checkpoint: Checkpoint): void {
    const { kafka, stored } = this.#world
    const text = serializeCheckpoint(checkpoint).toString()
    const entry = { key: 'orders', change: 0, slot, writer: 0, checkpoint: text, transaction: undefined }
    if (this.#store === 'kafka') kafka.checkpoints[slot]?.append(undefined, 0, [entry])
    else stored.set(slot, { text, epoch: checkpoint.epoch, writer: this, save: (stored.get(slot)?.save ?? 0) + 1 })
  }

  #record(slot: number): Entry | undefined {
    const log = this.#world.kafka.checkpoints[slot]!
    return log.committed(log.highWatermark).findLast(({ checkpoint }) => checkpoint !== undefined)
  }

  #damageRecord(slot: number, spoil: (text: string) => string): Damage | undefined {
    const entry = this.#record(slot)
    if (entry?.checkpoint === undefined) return undefined
    const text = entry.checkpoint
    entry.checkpoint = spoil(text)
    return {
      undo: () => {
        entry.checkpoint = text
      },
    }
  }

  #damageDocument(slot: number, spoil: (text: string) => string): Damage | undefined {
    const { stored } = this.#world
    const whole = stored.get(slot)
    if (whole === undefined) return undefined
    const damaged: Stored = { ...whole, text: spoil(whole.text) }
    stored.set(slot, damaged)
    return {
      undo: () => {
        if (stored.get(slot) === damaged) stored.set(slot, whole)
      },
    }
  }
}
