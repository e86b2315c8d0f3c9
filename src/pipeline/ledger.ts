import { type Checkpoint, type CheckpointStore, checkpointFormatVersion } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import { Configuration, PositionLost } from '../errors.ts'
import { Position } from '../position.ts'
import { sameDeployment } from '../source/source.ts'

export interface LedgerOptions {
  readonly store: CheckpointStore
  readonly deployment: string
  readonly pipeline: string
  /** Identity of the MongoDB that is read. */
  readonly cluster: string
  readonly filterHash: string
  /** Where to start without a checkpoint. */
  readonly start: (signal: AbortSignal) => Promise<Position>
  /** Least time between two saves, unless `hurry` aborts. */
  readonly saveIntervalMs: number
  readonly clock: Clock
}

const slot = 0

/**
 * The durable state of one pipeline: its position and the partition counts it must keep. Saves are conflated: while
 * one is under way or the interval runs, only the latest position waits, and its save settles every earlier one.
 */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #hurry: AbortSignal
  #checkpoint: Checkpoint
  #partitions: Checkpoint['partitions']
  #next: { position: Position | undefined; saved: PromiseWithResolvers<void> } | undefined
  #saving = false

  private constructor(options: LedgerOptions, checkpoint: Checkpoint, hurry: AbortSignal) {
    this.#options = options
    this.#checkpoint = checkpoint
    this.#partitions = checkpoint.partitions
    this.#hurry = hurry
  }

  /**
   * Loads the checkpoint, or writes the first one before anything is read, so that a crash before the first event
   * does not move the start. `hurry` ends waiting for the save interval; saving itself goes on.
   */
  static async open(options: LedgerOptions, hurry: AbortSignal): Promise<Ledger> {
    const { store, deployment, pipeline, cluster, filterHash, clock } = options
    const stored = await store.load(pipeline, slot, hurry)
    if (stored) checkOrigin(stored, options)
    const checkpoint: Checkpoint = {
      formatVersion: checkpointFormatVersion,
      deployment,
      pipeline,
      slot,
      epoch: (stored?.epoch ?? 0) + 1,
      generation: stored?.generation ?? 0,
      cluster,
      filterHash,
      position: stored?.position ?? (await options.start(hurry)).toJSON(),
      partitions: stored?.partitions ?? {},
      ends: stored?.ends ?? {},
      savedAtMs: clock.nowMs(),
    }
    const ledger = new Ledger(options, checkpoint, hurry)
    if (stored) readPosition(stored) // Refuse before the first write, or a corrupt position would be saved again.
    await store.save(checkpoint, hurry)
    return ledger
  }

  /** The durable position. */
  get position(): Position {
    return readPosition(this.#checkpoint)
  }

  get generation(): number {
    return this.#checkpoint.generation
  }

  get savedAtMs(): number {
    return this.#checkpoint.savedAtMs
  }

  /** The partition count of the topic's first use, undefined before it. */
  partitions(topic: string): number | undefined {
    return Object.hasOwn(this.#partitions, topic) ? this.#partitions[topic] : undefined
  }

  /**
   * Stores the count of a topic that is used for the first time; settles when durable. It must be, before the first
   * record: a topic that grew between a crash and the restart would send a document's changes elsewhere (G2).
   */
  usePartitions(topic: string, count: number): Promise<void> {
    this.#partitions = { ...this.#partitions, [topic]: count }
    return this.#request(undefined)
  }

  /** Saves `position`; settles when it, or a later one, is durable. Call in the order of the positions. */
  save(position: Position): Promise<void> {
    return this.#request(position)
  }

  #request(position: Position | undefined): Promise<void> {
    this.#next ??= { position: undefined, saved: Promise.withResolvers<void>() }
    if (position) this.#next.position = position
    const { promise } = this.#next.saved
    if (!this.#saving) {
      this.#saving = true
      void this.#saveAll()
    }
    return promise
  }

  /** One save at a time: a later one with an older position or fewer counts must never land on top. */
  async #saveAll(): Promise<void> {
    const { clock, saveIntervalMs, store } = this.#options
    for (;;) {
      const waitMs = Math.min(this.#checkpoint.savedAtMs + saveIntervalMs - clock.nowMs(), saveIntervalMs)
      if (waitMs > 0 && !this.#hurry.aborted) await clock.sleep(waitMs, this.#hurry).catch(() => undefined)
      const next = this.#next
      this.#next = undefined
      if (!next) break
      try {
        const checkpoint: Checkpoint = {
          ...this.#checkpoint,
          position: next.position?.toJSON() ?? this.#checkpoint.position,
          partitions: this.#partitions,
          savedAtMs: clock.nowMs(),
        }
        await store.save(checkpoint, never)
        this.#checkpoint = checkpoint // Not before it is durable: `position` is where a retry begins.
        next.saved.resolve()
      } catch (error) {
        next.saved.reject(error)
      }
    }
    this.#saving = false
  }
}

/** Saving is never cut short: its outcome would be unknown. Stores bound their own waits. */
const never = new AbortController().signal

function checkOrigin(stored: Checkpoint, { cluster, pipeline }: LedgerOptions): void {
  if (sameDeployment(stored.cluster, cluster)) return
  throw new PositionLost(
    'SOURCE_OTHER_CLUSTER',
    `the checkpoint of pipeline ${pipeline} belongs to MongoDB ${stored.cluster}, this one is ${cluster}`,
  )
}

function readPosition(checkpoint: Checkpoint): Position {
  try {
    return Position.parse(checkpoint.position)
  } catch (cause) {
    const message = `the checkpoint of pipeline ${checkpoint.pipeline} has an unreadable position`
    throw new Configuration('CHECKPOINT_CORRUPT', message, { cause })
  }
}
