import { type FSWatcher, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'

/** After the first sign of a change, so long for an editor or a volume to finish what it does. */
const settleMs = 200
/** Where no sign comes: not every file system sends them, and the file may be a link to somewhere else. */
const lookAgainMs = 10_000

export interface FileWatchOptions {
  readonly file: string
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Yields once at the beginning, and then each time the text of `file` has become another one, until `signal` aborts.
 * What is watched is the directory: Kubernetes exchanges a link beside the file, and editors put a new file in place.
 */
export async function* fileChanges(options: FileWatchOptions, signal: AbortSignal): AsyncGenerator<void> {
  const { file, clock } = options
  using signs = new Signs(options)
  let seen: string | undefined
  while (!signal.aborted) {
    const text = textOf(file)
    // Where it cannot be read it may be about to be replaced.
    if (text !== undefined && text !== seen) {
      seen = text
      yield
    }
    if (await signs.next(signal)) await clock.sleep(settleMs, signal).catch(() => undefined)
  }
}

/** What happens in the directory of the file. */
class Signs implements Disposable {
  readonly #clock: Clock
  readonly #watcher: FSWatcher | undefined
  #seen = false
  #wake: (() => void) | undefined

  constructor({ file, clock, log }: FileWatchOptions) {
    this.#clock = clock
    try {
      this.#watcher = watch(dirname(file), { persistent: false }, () => {
        this.#seen = true
        this.#wake?.()
      })
      this.#watcher.on('error', error => log.warn({ file, error }, watchless))
    } catch (error) {
      log.warn({ file, error }, watchless)
    }
  }

  /** Waits until something has happened since the last call; false where it is time to look all the same. */
  async next(signal: AbortSignal): Promise<boolean> {
    if (!this.#seen) {
      const woken = new AbortController()
      this.#wake = () => woken.abort()
      await this.#clock.sleep(lookAgainMs, AbortSignal.any([signal, woken.signal])).catch(() => undefined)
      this.#wake = undefined
    }
    const seen = this.#seen
    this.#seen = false
    return seen
  }

  [Symbol.dispose](): void {
    this.#watcher?.close()
  }
}

const watchless = `the directory of the configuration file cannot be watched: it is looked at every ${lookAgainMs / 1_000} s`

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
