import { type Checkpoint, type CheckpointStore, checkpointFormatVersion, type Ends } from '../checkpoint/checkpoint.ts'
import type { Clock } from '../clock.ts'
import { Configuration, PositionLost, Retryable } from '../errors.ts'
import { Position } from '../position.ts'
import { sameDeployment } from '../source/source.ts'

/** Makes a checkpoint durable: a save of its own, or the commit of the transaction that it belongs to. */
export type WriteCheckpoint = (checkpoint: Checkpoint, signal: AbortSignal) => Promise<void>

export interface LedgerOptions {
  readonly load: CheckpointStore['load']
  readonly write: WriteCheckpoint
  readonly deployment: string
  readonly pipeline: string
  readonly slot: number
  /** Identity of the MongoDB that is read. */
  readonly cluster: string
  readonly filterHash: string
  /** Of the configuration, as the file says. */
  readonly revision: number
  /** Where to start without a checkpoint. */
  readonly start: (signal: AbortSignal) => Promise<Position>
  /** Told of each checkpoint that has become durable. */
  readonly onSaved: (position: Position, savedAtMs: number) => void
  readonly clock: Clock
}

/**
 * The durable state of one pipeline on one slot: its position and the partition counts it must keep. It knows what is
 * to be written; when, and together with which records, is the delivery's business.
 */
export class Ledger {
  readonly #options: LedgerOptions
  #checkpoint: Checkpoint
  #position: Position
  #partitions: Checkpoint['partitions']
  #writing = false

  private constructor(options: LedgerOptions, checkpoint: Checkpoint, position: Position) {
    this.#options = options
    this.#checkpoint = checkpoint
    this.#position = position
    this.#partitions = checkpoint.partitions
  }

  /**
   * Loads the checkpoint and writes it again with the next epoch, or writes the first one: before anything is read, so
   * that a crash before the first event does not move the start. Where the sink's fence guards the checkpoints, open it
   * before: what it fences must not be able to write one that this load has not seen.
   */
  static async open(options: LedgerOptions, signal: AbortSignal): Promise<Ledger> {
    const { load, deployment, pipeline, slot, cluster, filterHash, revision, clock } = options
    const stored = await load(pipeline, slot, signal)
    if (stored) checkOrigin(stored, options)
    if (stored) checkRevision(stored, options)
    // A corrupt position is refused before the first write, or it would be saved again.
    const position = stored ? readPosition(stored) : await options.start(signal)
    const checkpoint: Checkpoint = {
      formatVersion: checkpointFormatVersion,
      deployment,
      pipeline,
      slot,
      epoch: (stored?.epoch ?? 0) + 1,
      generation: stored?.generation ?? 0,
      revision,
      cluster,
      filterHash: stored?.filterHash ?? filterHash,
      position: stored?.position ?? position.toJSON(),
      partitions: stored?.partitions ?? {},
      ends: stored?.ends ?? {},
      savedAtMs: clock.nowMs(),
    }
    const ledger = new Ledger(options, checkpoint, position)
    await ledger.write(undefined, signal)
    return ledger
  }

  /** The durable position. */
  get position(): Position {
    return this.#position
  }

  get generation(): number {
    return this.#checkpoint.generation
  }

  get savedAtMs(): number {
    return this.#checkpoint.savedAtMs
  }

  /** Whether the position comes from a stream with another filter, whose resume tokens this one cannot resume. */
  get isOfOtherStream(): boolean {
    return this.#checkpoint.filterHash !== this.#options.filterHash
  }

  /** Where to look for records that were sent and not saved; only for targets without transactions. */
  get ends(): Ends {
    return this.#checkpoint.ends
  }

  /** Partition count of each topic in use. */
  get partitionCounts(): Checkpoint['partitions'] {
    return this.#partitions
  }

  /** The partition count of the topic's first use, undefined before it. */
  partitions(topic: string): number | undefined {
    return Object.hasOwn(this.#partitions, topic) ? this.#partitions[topic] : undefined
  }

  /** Notes the count of a topic that is used for the first time: every later write holds it. */
  usePartitions(topic: string, count: number): void {
    this.#partitions = { ...this.#partitions, [topic]: count }
  }

  /**
   * Writes `position` (undefined: the last one again) and all partition counts; settles when durable. The checkpoint
   * is made and handed on before this returns its promise: in a transaction it covers what was sent until now. One at
   * a time: a later one must never be overtaken.
   */
  async write(position: Position | undefined, signal: AbortSignal, ends = this.#checkpoint.ends): Promise<void> {
    if (this.#writing) throw new Error('a checkpoint is being written already')
    const { filterHash, clock, write, onSaved } = this.#options
    // The hash says whose token the position holds: while it is the stored one, so is the hash.
    const isNew = position !== undefined && position.compare(this.#position) > 0
    const checkpoint: Checkpoint = {
      ...this.#checkpoint,
      filterHash: isNew ? filterHash : this.#checkpoint.filterHash,
      position: position?.toJSON() ?? this.#checkpoint.position,
      partitions: this.#partitions,
      ends,
      savedAtMs: clock.nowMs(),
    }
    this.#writing = true
    try {
      await write(checkpoint, signal)
    } finally {
      this.#writing = false
    }
    this.#checkpoint = checkpoint // Not before it is durable: `position` is where a retry begins.
    if (position) this.#position = position
    onSaved(this.#position, checkpoint.savedAtMs)
  }
}

function checkOrigin(stored: Checkpoint, { cluster, pipeline }: LedgerOptions): void {
  if (sameDeployment(stored.cluster, cluster)) return
  throw new PositionLost(
    'SOURCE_OTHER_CLUSTER',
    `the checkpoint of pipeline ${pipeline} belongs to MongoDB ${stored.cluster}, this one is ${cluster}`,
  )
}

/**
 * While a new configuration is rolled out, workers with the old one still run, and slots go to and fro. What the new one
 * has begun the old one must not continue: the topic would lack what only the new one selects. Retryable, because the
 * file may change at any moment.
 */
function checkRevision(stored: Checkpoint, { revision, pipeline, slot }: LedgerOptions): void {
  if (stored.revision <= revision) return
  const message = `pipeline ${pipeline} went on with revision ${stored.revision} of the configuration on slot ${slot}, and this worker has ${revision}`
  throw new Retryable('CONFIG_SUPERSEDED', message)
}

function readPosition(checkpoint: Checkpoint): Position {
  try {
    return Position.parse(checkpoint.position)
  } catch (cause) {
    const message = `the checkpoint of pipeline ${checkpoint.pipeline} has an unreadable position`
    throw new Configuration('CHECKPOINT_CORRUPT', message, { cause })
  }
}
