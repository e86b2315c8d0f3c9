import { untilAborted } from '../deadline.ts'
import { Configuration, Fenced, Retryable } from '../errors.ts'
import type { StoredPosition } from '../position.ts'
import type { Records } from '../record.ts'
import { packRecords } from '../record-headers.ts'
import type { Checkpoint, CheckpointStore, TransactionalStore } from './checkpoint.ts'
import { corrupt, isPosition, parseCheckpoint, sealed, serializeCheckpoint, unsealed } from './format.ts'
import { checkpointFault, type KafkaAccess, within } from './kafka-connection.ts'
import { factsRecord, verifyFacts } from './kafka-facts.ts'
import { writeOnce } from './kafka-once.ts'
import { KafkaSlot, type LoadsUpTo, type Stored } from './kafka-slot.ts'
import { type CheckpointTopic, createCheckpointTopic, topicExists, verifyCheckpointTopic } from './kafka-topic.ts'
import { KafkaWriter } from './kafka-writer.ts'

const prepareLimitMs = 45_000
const startFormatVersion = 1

export interface KafkaCheckpointOptions extends KafkaAccess {
  readonly deployment: string
  /** Default `mongo2kafka.<deployment>.checkpoints`. */
  readonly topic?: string | undefined
  /** Default 1: one partition per slot. Fixed at the first start. */
  readonly slots?: number
  /** The MongoDB that is read, fixed at the first start; absent: anything goes. */
  readonly cluster?: { readonly identity: string; readonly isSame: (one: string, other: string) => boolean } | undefined
  /** For a new topic; undefined: the broker's default. */
  readonly replication: number | undefined
}

/**
 * Creates or verifies the checkpoint topic. Throws Configuration CHECKPOINT_TOPIC, CHECKPOINT_MISMATCH,
 * CHECKPOINT_CORRUPT, SINK_UNAUTHORIZED, SINK_AUTH_FAILED, or Retryable CHECKPOINT_UNAVAILABLE.
 */
export async function openKafkaCheckpoints(
  options: KafkaCheckpointOptions,
  signal: AbortSignal,
): Promise<TransactionalStore> {
  const { deployment, slots = 1, cluster } = options
  const topic = topicOf(options)
  const writer = new KafkaWriter(options, topic)
  try {
    await prepare(options, 'create', signal)
    if (cluster !== undefined) {
      const facts = { deployment, slots, cluster: cluster.identity }
      verifyFacts(await writeOnce(options, writer, topic, factsRecord(facts), signal), facts, cluster.isSame)
    }
    return new KafkaCheckpoints({ access: options, deployment, writer, topic, loadsUpTo: 'mark' })
  } catch (error) {
    await writer.close()
    await options.reader[Symbol.asyncDispose]()
    signal.throwIfAborted()
    throw checkpointFault(options, error, `open topic ${topic}`)
  }
}

/** The same for who only looks: nothing is created, and where there is no topic nothing was ever saved. */
export async function lookAtKafkaCheckpoints(
  options: KafkaCheckpointOptions,
  signal: AbortSignal,
): Promise<CheckpointStore> {
  const { deployment, reader } = options
  const topic = topicOf(options)
  try {
    if (await prepare(options, 'leave', signal)) {
      const writer = new KafkaWriter(options, topic)
      return new KafkaCheckpoints({ access: options, deployment, writer, topic, loadsUpTo: 'high watermark' })
    }
    const save = () => Promise.reject(new Configuration('INTERNAL', 'a checkpoint store that was opened to look at it'))
    return { load: async () => undefined, save, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() }
  } catch (error) {
    await reader[Symbol.asyncDispose]()
    signal.throwIfAborted()
    throw checkpointFault(options, error, `open topic ${topic}`)
  }
}

function topicOf({ deployment, topic }: KafkaCheckpointOptions): string {
  return topic ?? `mongo2kafka.${deployment}.checkpoints`
}

/** Whether the topic is there, and as it should be; one that is absent is created or left. */
async function prepare(
  options: KafkaCheckpointOptions,
  absent: 'create' | 'leave',
  signal: AbortSignal,
): Promise<boolean> {
  signal.throwIfAborted()
  const { slots = 1, replication } = options
  const wanted: CheckpointTopic = { topic: topicOf(options), slots, replication }
  const connection = options.connect('once')
  const admin = connection.kafka.admin()
  const session = async () => {
    await admin.connect()
    const isThere = await topicExists(admin, wanted.topic)
    if (!isThere && absent === 'create') await createCheckpointTopic(admin, wanted, options.clock, signal)
    if (isThere || absent === 'create') await verifyCheckpointTopic(admin, wanted)
    await admin.disconnect()
    return isThere || absent === 'create'
  }
  try {
    const limits = { access: options, connection, signal }
    return await within(session(), prepareLimitMs, `prepare topic ${wanted.topic}`, limits)
  } finally {
    connection.cut('the checkpoint topic is prepared')
  }
}

interface StoreParts {
  readonly access: KafkaAccess
  readonly deployment: string
  readonly writer: KafkaWriter
  readonly topic: string
  readonly loadsUpTo: LoadsUpTo
}

interface Waiting {
  checkpoint: Checkpoint
  readonly settled: PromiseWithResolvers<void>
}

/**
 * Checkpoints as records of a compacted topic, by key `pipeline/slot`, in the partition of the slot. Saves that wait
 * behind one that is being sent are conflated to the latest of each key: it stands for them all, and all of them settle
 * with it.
 *
 * A save of an earlier epoch than the partition holds is refused, before it is written. Where the later epoch begins
 * between that look and the write, the save is written and then refused: it says what was acknowledged to its writer,
 * and a load passes over it. Only compaction can make it the last word, until the successor's next save; a start in
 * between would repeat changes and lose none. `toRecords` in a transaction has no such gap: the broker fences it.
 */
class KafkaCheckpoints implements TransactionalStore {
  readonly #parts: StoreParts
  readonly #slots = new Map<number, KafkaSlot>()
  readonly #disposing = new AbortController()
  #waiting = new Map<string, Waiting>()
  #sending: Promise<void> | undefined

  constructor(parts: StoreParts) {
    this.#parts = parts
  }

  async load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined> {
    const stored = await this.#stored(pipeline, slot, signal)
    if (stored === undefined) return undefined
    const checkpoint = parseCheckpoint(stored.bytes, stored.where)
    const { deployment } = checkpoint
    if (deployment === this.#parts.deployment && checkpoint.pipeline === pipeline && checkpoint.slot === slot)
      return checkpoint
    const owner = `deployment ${deployment}, pipeline ${checkpoint.pipeline}, slot ${checkpoint.slot}`
    throw corrupt(stored.where, `it belongs to ${owner}`)
  }

  /** An abort ends the waiting; the save itself may still take effect, which harms nothing. */
  async save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const key = keyOf(checkpoint)
    const waiting = this.#waiting.get(key) ?? { checkpoint, settled: Promise.withResolvers<void>() }
    waiting.checkpoint = checkpoint
    this.#waiting.set(key, waiting)
    this.#sending ??= this.#sendAll()
    await untilAborted(waiting.settled.promise, signal)
  }

  async fixStart(pipeline: string, proposed: StoredPosition, signal: AbortSignal): Promise<StoredPosition> {
    const { access, writer, topic } = this.#parts
    // Never the key of a checkpoint, which ends with a number.
    const record = {
      key: `${pipeline}/start`,
      bytes: sealed({ formatVersion: startFormatVersion, position: proposed }),
    }
    try {
      const { bytes, where } = await writeOnce(access, writer, topic, record, signal)
      const { position } = unsealed(bytes, startFormatVersion, where)
      if (!isPosition(position)) throw corrupt(where, 'its position is missing or wrong')
      return position
    } catch (error) {
      signal.throwIfAborted()
      throw checkpointFault(access, error, `fix the start of pipeline ${pipeline}`)
    }
  }

  toRecords(checkpoint: Checkpoint): Records {
    const { slot, savedAtMs } = checkpoint
    const key = Buffer.from(keyOf(checkpoint))
    const value = serializeCheckpoint(checkpoint)
    return packRecords([{ topic: this.#parts.topic, partition: slot, key, value, headers: {}, timestampMs: savedAtMs }])
  }

  /** Ends a save that is still being sent: drain first. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing.abort(new Retryable('CHECKPOINT_UNAVAILABLE', 'the checkpoint store was closed'))
    await this.#parts.writer.close()
    await this.#sending
    await this.#parts.access.reader[Symbol.asyncDispose]()
  }

  async #stored(pipeline: string, slot: number, signal: AbortSignal): Promise<Stored | undefined> {
    try {
      return await this.#slot(slot).load(keyOf({ pipeline, slot }), signal)
    } catch (error) {
      signal.throwIfAborted()
      throw checkpointFault(this.#parts.access, error, `load the checkpoint of pipeline ${pipeline}, slot ${slot}`)
    }
  }

  #slot(index: number): KafkaSlot {
    const known = this.#slots.get(index)
    if (known !== undefined) return known
    const { access, topic, loadsUpTo } = this.#parts
    const disposed = this.#disposing.signal
    const slot = new KafkaSlot({ reader: access.reader, topic, partition: index, loadsUpTo, disposed })
    this.#slots.set(index, slot)
    return slot
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const saves = [...this.#waiting.values()]
      this.#waiting = new Map()
      try {
        await this.#send(saves)
        for (const { settled } of saves) settled.resolve()
      } catch (error) {
        const fault = checkpointFault(this.#parts.access, error, `save checkpoints to topic ${this.#parts.topic}`)
        for (const { settled } of saves) settled.reject(fault)
      }
    }
    this.#sending = undefined
  }

  /** Rejects `settled` of those that are fenced. */
  async #send(saves: readonly Waiting[]): Promise<void> {
    const touched = new Set(saves.map(({ checkpoint }) => this.#slot(checkpoint.slot)))
    for (const slot of touched) await slot.catchUp(this.#disposing.signal)
    const allowed = saves.filter(save => !this.#isFenced(save))
    if (allowed.length === 0) return
    const records = allowed.map(({ checkpoint }) => ({
      key: keyOf(checkpoint),
      partition: checkpoint.slot,
      bytes: serializeCheckpoint(checkpoint),
    }))
    const last = await this.#parts.writer.write(records)
    for (const [partition, offset] of last) {
      const count = records.filter(record => record.partition === partition).length
      const slot = this.#slot(partition)
      const isNext = slot.wrote(BigInt(offset), count)
      if (!isNext) await slot.catchUp(this.#disposing.signal, BigInt(offset) + 1n)
    }
    for (const save of allowed) this.#isFenced(save)
  }

  #isFenced({ checkpoint, settled }: Waiting): boolean {
    const { pipeline, slot, epoch } = checkpoint
    const latest = this.#slot(slot).epochOf(keyOf(checkpoint))
    if (epoch >= latest) return false
    const message = `pipeline ${pipeline}, slot ${slot}: epoch ${latest} has begun, and this is ${epoch}`
    settled.reject(new Fenced('CHECKPOINT_FENCED', message))
    return true
  }
}

function keyOf({ pipeline, slot }: Pick<Checkpoint, 'pipeline' | 'slot'>): string {
  return `${pipeline}/${slot}`
}
