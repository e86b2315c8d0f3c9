import type { Clock } from '../clock.ts'
import { restartNeeded, sameConfig } from '../config/difference.ts'
import { fileChanges } from '../config/file-watch.ts'
import { formatProblem, InvalidConfig } from '../config/problem.ts'
import type { Config } from '../config/schema.ts'
import { asFault, remedies } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import type { Changes } from '../pipeline/supervisor.ts'
import type { ConfigStatus } from '../status.ts'

/** Where a configuration comes from, for as long as the daemon runs. */
export interface ConfigSource {
  readonly file: string
  /** Throws InvalidConfig with every problem. */
  load(): Config
  /** Calls `listener` each time that somebody asks for the file to be loaded again. */
  onRequest(listener: () => void): void
}

export interface ReloaderParts {
  readonly source: ConfigSource
  /** What runs. */
  readonly config: Config
  readonly apply: (next: Config) => Promise<Changes>
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/**
 * Takes over what has changed in the configuration file, while everything else goes on. All or nothing: a file with a
 * problem, or one that changes what only a restart can, changes nothing, and says so.
 */
export class Reloader {
  readonly #parts: ReloaderParts
  #config: Config
  #status: ConfigStatus
  /** Until when requests are heard; undefined: not yet. */
  #listening: AbortSignal | undefined
  #queue: Promise<void> = Promise.resolve()

  constructor(parts: ReloaderParts) {
    this.#parts = parts
    this.#config = parts.config
    this.#status = { loadedAtMs: parts.clock.nowMs(), lastReload: null }
    this.#report()
    // At once, or the signal would end a daemon that still waits for MongoDB. What was changed by then is seen by `run`.
    parts.source.onRequest(() => {
      if (this.#listening?.aborted === false) void this.reload('as asked')
    })
  }

  get status(): ConfigStatus {
    return this.#status
  }

  /** Reloads when the file changes and when somebody asks for it, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, clock, log } = this.#parts
    this.#listening = signal
    let first = true
    for await (const _ of fileChanges({ file: source.file, clock, log }, signal)) {
      // What is there at the beginning is what runs, unless it was changed while we started.
      if (!first || !this.#isCurrent()) await this.reload('as the file has changed')
      first = false
    }
    await this.#queue
  }

  /** Loads the file again; settles when what it changed is in effect. Calls take effect one after another. */
  reload(why: string): Promise<void> {
    this.#queue = this.#queue.then(() => this.#reload(why))
    return this.#queue
  }

  #isCurrent(): boolean {
    try {
      return sameConfig(this.#config, this.#parts.source.load())
    } catch {
      return false
    }
  }

  async #reload(why: string): Promise<void> {
    const { source, clock, log, apply } = this.#parts
    const atMs = clock.nowMs()
    try {
      const next = source.load()
      const problems = restartNeeded(this.#config, next).map(setting => `${setting} changes only by a restart`)
      if (problems.length > 0) {
        this.#refuse(problems, atMs)
        return
      }
      const { added, removed, changed } = await apply(next)
      this.#config = next
      this.#status = { loadedAtMs: atMs, lastReload: { atMs, applied: true, problems: [] } }
      const summary =
        [...added, ...removed, ...changed].length === 0 ? 'nothing has changed' : 'the change is in effect'
      log.info({ file: source.file, added, removed, changed }, `configuration loaded again, ${why}: ${summary}`)
    } catch (error) {
      const problems = error instanceof InvalidConfig ? error.problems.map(formatProblem) : [asFault(error).message]
      this.#refuse(problems, atMs)
    } finally {
      this.#report()
    }
  }

  #refuse(problems: readonly string[], atMs: number): void {
    const { source, log } = this.#parts
    this.#status = { ...this.#status, lastReload: { atMs, applied: false, problems } }
    const fields = { code: 'CONFIG_INVALID', remedy: remedies.CONFIG_INVALID, file: source.file, problems }
    log.error(fields, 'the changed configuration is not used, the one before stays in effect')
  }

  #report(): void {
    const { meter } = this.#parts
    const { lastReload, loadedAtMs } = this.#status
    meter.gauge('config_last_reload_successful', {}, lastReload?.applied === false ? 0 : 1)
    meter.gauge('config_last_reload_success_timestamp_seconds', {}, loadedAtMs / 1_000)
  }
}
