import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const sizeKilobytes = 256

/**
 * A directory on a file system of its own, which can be filled up. Where we may not mount one, a process that shall
 * find the disk full is forbidden instead to make any file longer.
 */
export class SmallDisk implements AsyncDisposable {
  readonly directory: string
  readonly #isMounted: boolean

  private constructor(directory: string, isMounted: boolean) {
    this.directory = directory
    this.#isMounted = isMounted
  }

  static async open(directory: string): Promise<SmallDisk> {
    await mkdir(directory)
    try {
      await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeKilobytes}k`, 'none', directory])
      return new SmallDisk(directory, true)
    } catch {
      return new SmallDisk(directory, false)
    }
  }

  /** Leaves no byte of it; `pids`: who shall find it so. */
  async fill(pids: readonly number[]): Promise<void> {
    if (!this.#isMounted) return limitFiles(pids, '0')
    // Writes as much as there is room for, and then fails.
    await writeFile(this.#filler, Buffer.alloc((2 * sizeKilobytes) << 10)).catch(() => undefined)
  }

  async free(pids: readonly number[]): Promise<void> {
    if (this.#isMounted) await rm(this.#filler, { force: true })
    else await limitFiles(pids, 'unlimited')
  }

  get #filler(): string {
    return join(this.directory, 'filler')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isMounted) await run('umount', ['--lazy', this.directory])
  }
}

async function limitFiles(pids: readonly number[], bytes: string): Promise<void> {
  await Promise.all(pids.map(pid => run('prlimit', ['--pid', String(pid), `--fsize=${bytes}:unlimited`])))
}
