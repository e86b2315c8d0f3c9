import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Configuration, type ErrorCode, Fenced, Retryable } from '../errors.ts'
import type { Checkpoint, CheckpointStore } from './checkpoint.ts'
import { corrupt, parseCheckpoint, serializeCheckpoint } from './format.ts'

export interface FileCheckpointOptions {
  /** Created where it is missing. One deployment a directory. */
  readonly directory: string
  readonly deployment: string
}

/**
 * Throws Retryable where the directory cannot be made: CHECKPOINT_DISK_FULL, CHECKPOINT_READ_ONLY or
 * CHECKPOINT_UNAVAILABLE.
 */
export async function openFileCheckpoints(options: FileCheckpointOptions): Promise<CheckpointStore> {
  const { directory } = options
  await onDisk(directory, () => mkdir(directory, { recursive: true }))
  return new FileCheckpoints(options)
}

/**
 * A file per pipeline and slot, replaced as a whole: a crash leaves the old one or the new one. What a save promises
 * survives a power cut: the file is synced before it gets its name, and the directory after.
 *
 * A save that finds the file with a later epoch, or changed by somebody else under its own, is fenced. A file system
 * has no compare-and-set: two processes that save within the same milliseconds can miss each other once, and the next
 * save of one of them finds out.
 */
class FileCheckpoints implements CheckpointStore {
  readonly #directory: string
  readonly #deployment: string
  /** The last save of each file; the next begins after it. */
  readonly #saves = new Map<string, Promise<void>>()
  /** What each file holds since our last save. */
  readonly #written = new Map<string, Buffer>()

  constructor({ directory, deployment }: FileCheckpointOptions) {
    this.#directory = directory
    this.#deployment = deployment
  }

  async load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined> {
    signal.throwIfAborted()
    const file = this.#fileOf(pipeline, slot)
    await this.#saves.get(file)?.catch(() => {})
    const bytes = await onDisk(file, () => readIfThere(file))
    if (bytes === undefined) return undefined
    const checkpoint = parseCheckpoint(bytes, file)
    if (checkpoint.deployment !== this.#deployment) {
      const text = `${file}: it belongs to deployment ${checkpoint.deployment}, and this one is ${this.#deployment}`
      throw new Configuration('CHECKPOINT_MISMATCH', text)
    }
    if (checkpoint.pipeline === pipeline && checkpoint.slot === slot) return checkpoint
    throw corrupt(file, `it belongs to pipeline ${checkpoint.pipeline}, slot ${checkpoint.slot}`)
  }

  async save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const file = this.#fileOf(checkpoint.pipeline, checkpoint.slot)
    const before = this.#saves.get(file) ?? Promise.resolve()
    const saved = before
      .catch(() => {}) // Its caller has heard of it.
      .then(() => this.#replace(file, checkpoint))
    this.#saves.set(file, saved)
    await saved
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#saves.values())
  }

  async #replace(file: string, checkpoint: Checkpoint): Promise<void> {
    const found = await onDisk(file, () => readIfThere(file))
    const last = this.#written.get(file)
    if (found !== undefined && (last === undefined || !found.equals(last))) refuseToFollow(found, checkpoint, file)
    const bytes = serializeCheckpoint(checkpoint)
    await onDisk(file, () => replaceFile(this.#directory, file, bytes))
    this.#written.set(file, bytes)
  }

  #fileOf(pipeline: string, slot: number): string {
    return join(this.#directory, `${fileNameOf(pipeline)}.${slot}.checkpoint`)
  }
}

/** Throws Fenced where `found`, which we have not written, is of the same epoch or a later one. */
function refuseToFollow(found: Buffer, { epoch }: Checkpoint, file: string): void {
  let other: Checkpoint
  try {
    other = parseCheckpoint(found, file)
  } catch {
    return // Damaged since we loaded it: what we have is better.
  }
  if (other.epoch < epoch) return
  throw new Fenced('CHECKPOINT_FENCED', `${file}: epoch ${other.epoch} of another start is stored, ours is ${epoch}`)
}

/** Readable where the name allows it; where it does not, a hash keeps two names from sharing a file. */
function fileNameOf(pipeline: string): string {
  if (/^[a-z0-9_-]{1,100}$/.test(pipeline)) return pipeline
  const hash = createHash('sha256').update(pipeline).digest('hex').slice(0, 16)
  return `${pipeline.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 80)}.${hash}`
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

async function replaceFile(directory: string, file: string, bytes: Buffer): Promise<void> {
  const temporary = `${file}.tmp`
  await withFile(temporary, 'w', async handle => {
    await handle.writeFile(bytes)
    await handle.sync()
  })
  await rename(temporary, file)
  await withFile(directory, 'r', handle => handle.sync())
}

async function withFile(path: string, flags: string, work: (handle: FileHandle) => Promise<void>): Promise<void> {
  await using handle = await open(path, flags)
  await work(handle)
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'CHECKPOINT_DISK_FULL',
  EDQUOT: 'CHECKPOINT_DISK_FULL',
  EROFS: 'CHECKPOINT_READ_ONLY',
  EACCES: 'CHECKPOINT_READ_ONLY',
  EPERM: 'CHECKPOINT_READ_ONLY',
}

/** A full disk, a missing mount or a lost right can be mended while we run: all of the file system's errors do. */
async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const code = codes[String(codeOf(error))] ?? 'CHECKPOINT_UNAVAILABLE'
    throw new Retryable(code, `${path}: ${message}`, { cause: error })
  }
}
