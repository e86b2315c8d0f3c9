import { createHash } from 'node:crypto'
import { type FileHandle, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Retryable } from '../errors.ts'
import type { Checkpoint, CheckpointStore } from './checkpoint.ts'
import { corrupt, parseCheckpoint, serializeCheckpoint } from './format.ts'

export interface FileCheckpointOptions {
  /** Created where it is missing. One deployment a directory. */
  readonly directory: string
}

/** Throws Retryable CHECKPOINT_UNAVAILABLE where the directory cannot be made. */
export async function openFileCheckpoints({ directory }: FileCheckpointOptions): Promise<CheckpointStore> {
  await onDisk(directory, () => mkdir(directory, { recursive: true }))
  return new FileCheckpoints(directory)
}

/**
 * A file per pipeline and slot, replaced as a whole: a crash leaves the old one or the new one. What a save promises
 * survives a power cut: the file is synced before it gets its name, and the directory after.
 */
class FileCheckpoints implements CheckpointStore {
  readonly #directory: string
  /** The last save of each file; the next begins after it. */
  readonly #saves = new Map<string, Promise<void>>()

  constructor(directory: string) {
    this.#directory = directory
  }

  async load(pipeline: string, slot: number, signal: AbortSignal): Promise<Checkpoint | undefined> {
    signal.throwIfAborted()
    const file = this.#fileOf(pipeline, slot)
    await this.#saves.get(file)?.catch(() => {})
    const bytes = await onDisk(file, () => readIfThere(file))
    if (bytes === undefined) return undefined
    const checkpoint = parseCheckpoint(bytes, file)
    if (checkpoint.pipeline === pipeline && checkpoint.slot === slot) return checkpoint
    throw corrupt(file, `it belongs to pipeline ${checkpoint.pipeline}, slot ${checkpoint.slot}`)
  }

  async save(checkpoint: Checkpoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const bytes = serializeCheckpoint(checkpoint)
    const file = this.#fileOf(checkpoint.pipeline, checkpoint.slot)
    const before = this.#saves.get(file) ?? Promise.resolve()
    const saved = before
      .catch(() => {}) // Its caller has heard of it.
      .then(() => onDisk(file, () => replaceFile(this.#directory, file, bytes)))
    this.#saves.set(file, saved)
    await saved
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#saves.values())
  }

  #fileOf(pipeline: string, slot: number): string {
    return join(this.#directory, `${fileNameOf(pipeline)}.${slot}.checkpoint`)
  }
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

/** A full disk, a missing mount or a lost right can be mended while we run: all of the file system's errors do. */
async function onDisk<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new Retryable('CHECKPOINT_UNAVAILABLE', `${path}: ${message}`, { cause: error })
  }
}
