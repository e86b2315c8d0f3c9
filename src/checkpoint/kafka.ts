import { untilAborted } from '../deadline.ts'
import type { Checkpoint, CheckpointStore } from './checkpoint.ts'
import { corrupt, parseCheckpoint, serializeCheckpoint } from './format.ts'
import { checkpointFault, type KafkaAccess, within } from './kafka-connection.ts'
import { readLatest, type StoredRecord } from './kafka-reader.ts'
import { ensureCheckpointTopic } from './kafka-topic.ts'
import { KafkaWriter, type KeyedRecord } from './kafka-writer.ts'

const prepareLimitMs = 45_000
/** Key of the record that marks the end of what a start has to read. No checkpoint's: it has no slot. */
const openedKey = 'opened'

export interface KafkaCheckpointOptions extends KafkaAccess {
  readonly deployment: string
  /** Default `mongo2kafka.<deployment>.checkpoints`. */
  readonly topic?: string | undefined
  /** Default 1: one partition per slot. */
  readonly slots?: number
  /** For a new topic; undefined: the broker's default. */
  readonly replication: number | undefined
}

/**
 * Creates or verifies the checkpoint topic and reads it to its end. Throws Configuration CHECKPOINT_TOPIC,
 * SINK_UNAUTHORIZED, SINK_AUTH_FAILED, or Retryable CHECKPOINT_UNAVAILABLE.
 */
export async function openKafkaCheckpoints(
  options: KafkaCheckpointOptions,
  signal: AbortSignal,
): Promise<CheckpointStore> {
  signal.throwIfAborted()
  const { deployment, topic = `mongo2kafka.${deployment}.checkpoints`, slots = 1, replication } = options
  const writer = new KafkaWriter(options, topic)
  try {
    const filled = await prepare(options, { topic, slots, replication }, signal)
    const records = filled.length === 0 ? new Map() : await readAll(options, topic, filled, writer, signal)
    return new KafkaCheckpoints(deployment, writer, topic, records)
  } catch (error) {
    await writer.close()
    signal.throwIfAborted()
    throw checkpointFault(options, error, `open topic ${topic}`)
  }
}

/** The partitions that hold anything. */
async function prepare(
  access: KafkaAccess,
  wanted: { topic: string; slots: number; replication: number | undefined },
  signal: AbortSignal,
): Promise<number[]> {
  const connection = access.connect('once')
  const admin = connection.kafka.admin()
  const session = async () => {
    await admin.connect()
    await ensureCheckpointTopic(admin, wanted)
    const offsets = await admin.fetchTopicOffsets(wanted.topic)
    await admin.disconnect()
    return offsets.filter(({ high, low }) => Number(high) > Number(low)).map(({ partition }) => partition)
  }
  try {
    return await within(session(), prepareLimitMs, `prepare topic ${wanted.topic}`, { access, connection, signal })
  } finally {
    connection.cut('the checkpoint topic is prepared')
  }
}

/**
 * Reads up to a record that we write for the purpose. Waiting for the record at end offset - 1 could wait for ever:
 * compaction may have removed it, and kafkajs does not show the empty batch that is left.
 */
async function readAll(
  access: KafkaAccess,
  topic: string,
  partitions: readonly number[],
  writer: KafkaWriter,
  signal: AbortSignal,
): Promise<Map<string, StoredRecord>> {
  const bytes = Buffer.from(new Date(access.clock.nowMs()).toISOString())
  const last = await writer.write(
    partitions.map(partition => ({ key: openedKey, partition, bytes })),
    signal,
  )
  return await readLatest(access, { topic, last }, signal)
}

interface Waiting {
  record: KeyedRecord
  readonly settled: PromiseWithResolvers<void>
}

/**
 * Checkpoints as records of a compacted topic, by key `pipeline/slot`. Saves that wait behind one that is being sent
 * are conflated to the latest of each key: it stands for them all, and all of them settle with it.
 */
class KafkaCheckpoints implements CheckpointStore {
  readonly #deployment: string
  readonly #writer: KafkaWriter
  readonly #topic: string
  readonly #records: Map<string, StoredRecord>
  #waiting = new Map<string, Waiting>()
  #sending: Promise<void> | undefined

  constructor(deployment: string, writer: KafkaWriter, topic: string, records: Map<string, StoredRecord>) {
    this.#deployment = deployment
    this.#writer = writer
    this.#topic = topic
    this.#records = records
  }

  async load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined> {
    signal.throwIfAborted()
    const record = this.#records.get(keyOf(pipeline, slot))
    if (record === undefined) return undefined
    const checkpoint = parseCheckpoint(record.bytes, record.where)
    const { deployment } = checkpoint
    if (deployment === this.#deployment && checkpoint.pipeline === pipeline && checkpoint.slot === slot)
      return checkpoint
    const owner = `deployment ${deployment}, pipeline ${checkpoint.pipeline}, slot ${checkpoint.slot}`
    throw corrupt(record.where, `it belongs to ${owner}`)
  }

  /** An abort ends the waiting; the save itself may still take effect, which harms nothing. */
  async save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const key = keyOf(checkpoint.pipeline, checkpoint.slot)
    const record = { key, partition: checkpoint.slot, bytes: serializeCheckpoint(checkpoint) }
    const waiting = this.#waiting.get(key) ?? { record, settled: Promise.withResolvers<void>() }
    waiting.record = record
    this.#waiting.set(key, waiting)
    this.#sending ??= this.#sendAll()
    await untilAborted(waiting.settled.promise, signal)
  }

  /** Ends a save that is still being sent: drain first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close()
    await this.#sending
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const saves = [...this.#waiting.values()]
      this.#waiting = new Map()
      try {
        const records = saves.map(({ record }) => record)
        const last = await this.#writer.write(records)
        this.#remember(records, last)
        for (const { settled } of saves) settled.resolve()
      } catch (error) {
        for (const { settled } of saves) settled.reject(error)
      }
    }
    this.#sending = undefined
  }

  #remember(records: readonly KeyedRecord[], last: ReadonlyMap<number, number>): void {
    for (const { key, partition, bytes } of records) {
      this.#records.set(key, { bytes, where: `${this.#topic}-${partition}@${last.get(partition)}` })
    }
  }
}

function keyOf(pipeline: string, slot: number): string {
  return `${pipeline}/${slot}`
}
