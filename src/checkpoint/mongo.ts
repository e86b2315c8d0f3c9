import { type Document, type MongoClient, MongoServerError } from 'mongodb'
import { type Clock, steady } from '../clock.ts'
import { untilAborted } from '../deadline.ts'
import { Configuration, type Fault, Fenced, Retryable } from '../errors.ts'
import type { StoredPosition } from '../position.ts'
import { backOffMs } from '../retry.ts'
import type { Checkpoint, CheckpointStore } from './checkpoint.ts'
import { corrupt, parseCheckpoint, serializeCheckpoint } from './format.ts'
import { closeClient, connectTo, duplicateKey, MongoAccess } from './mongo-access.ts'

const defaultSaveLimitMs = 30_000
const retry = { initialMs: 50, maxMs: 1_000 }
const majority = { w: 'majority' }

export interface MongoCheckpointOptions {
  /** Where the checkpoints are: a connection string, revealed, or a client that stays its owner's. */
  readonly at: { readonly uri: string } | { readonly client: MongoClient }
  readonly database: string
  /** Several deployments may share it. */
  readonly collection: string
  readonly deployment: string
  /** Fixed at the first start, and verified at each later one. */
  readonly slots: number
  /** Identity of the MongoDB that is read, verified likewise; undefined: only looking, nothing is fixed. */
  readonly cluster: string | undefined
  /** Whether two identities name one deployment; default: whether they are equal. */
  readonly sameCluster?: (one: string, other: string) => boolean
  readonly clock: Clock
  /** How long a save is tried again while the store is away. Default 30 s. */
  readonly saveLimitMs?: number
}

/**
 * Throws Configuration (CHECKPOINT_MISMATCH where slots or cluster are others than at the first start,
 * CHECKPOINT_REJECTED, CONFIG_INVALID) or Retryable CHECKPOINT_UNAVAILABLE.
 */
export async function openMongoCheckpoints(
  options: MongoCheckpointOptions,
  signal: AbortSignal,
): Promise<CheckpointStore> {
  signal.throwIfAborted()
  const { at, clock } = options
  await using stack = new AsyncDisposableStack()
  const client = 'client' in at ? at.client : connectTo(at.uri)
  if (!('client' in at)) stack.defer(() => closeClient(client, clock))
  const store = new MongoCheckpoints(options, new MongoAccess(client, options.database, clock))
  await store.verifyFacts(signal)
  store.owns(stack.move())
  return store
}

interface Kept {
  readonly epoch: number
  readonly writer: string
  readonly save: number
  readonly text: string
}

/**
 * A document per pipeline and slot, which only one writer can change at a time: `epoch` is the checkpoint's, `writer`
 * names the store that claimed this epoch, `save` counts its saves. A save goes through where its epoch is the stored
 * one, of the same writer, and its number higher; or where its epoch is later, and nobody has saved since this store
 * loaded the document. So two starts that loaded the same checkpoint cannot both go on, a start never takes back what
 * its predecessor still saves, and a save that was given up can land late without taking a position back.
 */
class MongoCheckpoints implements CheckpointStore {
  readonly #options: MongoCheckpointOptions
  readonly #access: MongoAccess
  readonly #writer: string
  #owned: AsyncDisposable | undefined
  #saveNumber = 0
  /** The last save of each document; the next begins after it. */
  readonly #saves = new Map<string, Promise<void>>()
  /** What each document was when it was loaded last; undefined: absent. */
  readonly #loaded = new Map<string, Kept | undefined>()

  constructor(options: MongoCheckpointOptions, access: MongoAccess) {
    this.#options = options
    this.#access = access
    const { clock } = options
    this.#writer = `${clock.nowMs().toString(36)}-${Math.floor(clock.random() * 2 ** 48).toString(36)}`
  }

  /** What is closed with the store. */
  owns(owned: AsyncDisposable): void {
    this.#owned = owned
  }

  /** The first start writes slots and cluster; whoever comes later must have the same. */
  async verifyFacts(signal: AbortSignal): Promise<void> {
    const { slots, cluster, deployment, sameCluster = (one, other) => one === other } = this.#options
    const id = { deployment, kind: 'facts' }
    const facts =
      cluster === undefined ? await this.#read(id, signal) : await this.#first(id, { slots, cluster }, signal)
    if (facts === undefined) return
    const first = `${this.#where(id)}: this deployment was first started`
    if (facts.slots !== slots) {
      throw new Configuration(
        'CHECKPOINT_MISMATCH',
        `${first} with workers.slots ${facts.slots}, and now it is ${slots}`,
      )
    }
    if (cluster === undefined || sameCluster(String(facts.cluster), cluster)) return
    throw new Configuration('CHECKPOINT_MISMATCH', `${first} on MongoDB ${facts.cluster}, and this one is ${cluster}`)
  }

  async load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined> {
    signal.throwIfAborted()
    const id = this.#idOf(pipeline, slot)
    await untilAborted(
      (this.#saves.get(keyOf(pipeline, slot)) ?? Promise.resolve()).catch(() => {}),
      signal,
    )
    const kept = await this.#read(id, signal)
    this.#loaded.set(keyOf(pipeline, slot), kept)
    if (kept === undefined) return undefined
    const where = this.#where(id)
    if (typeof kept.text !== 'string') throw corrupt(where, 'it has no text')
    const checkpoint = parseCheckpoint(Buffer.from(kept.text), where)
    if (checkpoint.epoch !== kept.epoch) throw corrupt(where, 'its epoch is not the one beside it')
    const { deployment } = this.#options
    if (checkpoint.deployment === deployment && checkpoint.pipeline === pipeline && checkpoint.slot === slot)
      return checkpoint
    const owner = `deployment ${checkpoint.deployment}, pipeline ${checkpoint.pipeline}, slot ${checkpoint.slot}`
    throw corrupt(where, `it belongs to ${owner}`)
  }

  /** An abort ends the waiting; the save itself may still take effect, which harms nothing. */
  async save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { pipeline, slot, epoch } = checkpoint
    const key = keyOf(pipeline, slot)
    this.#saveNumber += 1
    const kept: Kept = {
      epoch,
      writer: this.#writer,
      save: this.#saveNumber,
      text: serializeCheckpoint(checkpoint).toString(),
    }
    const before = this.#saves.get(key) ?? Promise.resolve()
    const saved = before
      .catch(() => {}) // Its caller has heard of it.
      .then(() => this.#write(this.#idOf(pipeline, slot), kept, this.#earlier(key, epoch)))
    saved.catch(() => {}) // Unheard where the waiting was aborted.
    this.#saves.set(key, saved)
    await untilAborted(saved, signal)
  }

  /** The first `position` that was ever proposed for a pipeline without checkpoint; settles when durable. */
  async fixStart(pipeline: string, proposed: StoredPosition, signal: AbortSignal): Promise<StoredPosition> {
    const id = { deployment: this.#options.deployment, kind: 'start', pipeline }
    const { position } = await this.#first(id, { position: proposed }, signal)
    return position as StoredPosition
  }

  /** Waits for the saves that are under way, each of which is bounded. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#saves.values())
    await this.#owned?.[Symbol.asyncDispose]()
  }

  /** Which documents of an earlier epoch a save may replace: our own, and the one that was loaded. */
  #earlier(key: string, epoch: number): Document[] {
    if (!this.#loaded.has(key)) return [{ epoch: { $lt: epoch } }]
    const own = { epoch: { $lt: epoch }, writer: this.#writer }
    const loaded = this.#loaded.get(key)
    if (loaded === undefined || !(loaded.epoch < epoch)) return [own]
    return [own, { epoch: loaded.epoch, writer: loaded.writer, save: loaded.save }]
  }

  /**
   * Tries until it is known whether the save took effect: one that seemed to fail is found by its number. What was saved
   * since the load must be loaded first, so that is not tried again here.
   */
  async #write(id: Document, kept: Kept, earlier: readonly Document[]): Promise<void> {
    const { saveLimitMs = defaultSaveLimitMs } = this.#options
    const clock = steady(this.#options.clock)
    const untilMs = clock.nowMs() + saveLimitMs
    for (let attempt = 1; ; attempt += 1) {
      let stored: Kept | undefined
      try {
        if (await this.#replace(id, kept, earlier)) return
        stored = await this.#read(id, never)
        if (stored === undefined) throw new Retryable('CHECKPOINT_UNAVAILABLE', `${this.#where(id)}: it was removed`)
      } catch (error) {
        if (!(error instanceof Retryable) || clock.nowMs() >= untilMs) throw error
        await clock.sleep(backOffMs(retry, attempt, clock))
        continue
      }
      if (stored.writer === kept.writer && stored.epoch === kept.epoch && stored.save >= kept.save) return
      throw this.#refusal(id, stored, kept)
    }
  }

  #refusal(id: Document, stored: Kept, { epoch }: Kept): Fault {
    const where = this.#where(id)
    if (stored.epoch < epoch) {
      return new Retryable('CHECKPOINT_UNAVAILABLE', `${where}: epoch ${stored.epoch} has saved since it was loaded`)
    }
    return new Fenced(
      'CHECKPOINT_FENCED',
      `${where}: epoch ${stored.epoch} of another start is stored, ours is ${epoch}`,
    )
  }

  /** Whether the compare-and-set went through. Where another document is in the way, its id is a duplicate. */
  async #replace(id: Document, { epoch, writer, save, text }: Kept, earlier: readonly Document[]): Promise<boolean> {
    const command = {
      findAndModify: this.#options.collection,
      query: { _id: id, $or: [...earlier, { epoch, writer, save: { $lt: save } }] },
      update: { $set: { epoch, writer, save, text } },
      upsert: true,
      fields: { _id: 1 },
      writeConcern: majority,
    }
    return await this.#unlessDuplicate(command, never)
  }

  /** The document as the majority has it; a primary that was deposed and does not know it cannot answer. */
  async #read(id: Document, signal: AbortSignal): Promise<(Kept & Document) | undefined> {
    const command = {
      find: this.#options.collection,
      filter: { _id: id },
      limit: 1,
      singleBatch: true,
      readConcern: { level: 'linearizable' },
    }
    const { cursor } = await this.#access.run(command, signal)
    return cursor.firstBatch[0]
  }

  /** The document `id`: as it is, or made of `fields` where it was missing. */
  async #first(id: Document, fields: Document, signal: AbortSignal): Promise<Document> {
    const command = {
      findAndModify: this.#options.collection,
      query: { _id: id },
      update: { $setOnInsert: fields },
      upsert: true,
      writeConcern: majority,
    }
    await this.#unlessDuplicate(command, signal) // Another start may be first at the same moment: then it is there.
    const found = await this.#read(id, signal)
    if (found === undefined) throw new Retryable('CHECKPOINT_UNAVAILABLE', `${this.#where(id)}: it was removed`)
    return found
  }

  async #unlessDuplicate(command: Document, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#access.run(command, signal, [duplicateKey])
      return true
    } catch (error) {
      if (error instanceof MongoServerError) return false
      throw error
    }
  }

  #idOf(pipeline: string, slot: number): Document {
    return { deployment: this.#options.deployment, kind: 'checkpoint', pipeline, slot }
  }

  #where(id: Document): string {
    const { database, collection } = this.#options
    return `${database}.${collection} ${JSON.stringify(id)}`
  }
}

/** Saving is never cut short: its outcome would be unknown. */
const never = new AbortController().signal

function keyOf(pipeline: string, slot: number): string {
  return `${slot}/${pipeline}`
}
