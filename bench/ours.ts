import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { logTail, ServerProcess } from '../src/services/process.ts'
import type { Workspace } from '../src/services/workspace.ts'
import { database } from './backlog.ts'
import type { Connector, Job, Running } from './connector.ts'
import { firstLineOf } from './first-line.ts'

/** As it is released: compiled. From the sources Node would keep a compiler in memory, and start later. */
const main = join(import.meta.dirname, '../dist/main.js')
const runFile = promisify(execFile)

export interface OursSettings {
  readonly workspace: Workspace
  readonly mongoUri: string
  readonly brokers: string
  /** Settings that differ from the defaults, as of `run --set`. */
  readonly set: readonly string[]
  readonly version: string
  /** Options of Node itself. */
  readonly node?: readonly string[]
}

/** A pipeline for all collections together, or one for each. */
export type Split = 'together' | 'apart'

/** This checkout: the daemon as users run it, with default settings, a deployment of its own in every run. */
export class Ours implements Connector {
  readonly name = 'mongo2kafka'
  readonly recordsPerEvent = 1
  readonly #settings: OursSettings
  readonly #split: Split
  /** Where the backlog begins; an ISO time. */
  readonly #startAt: string
  static #runs = 0

  constructor(settings: OursSettings, startAt: string, split: Split = 'together') {
    this.#settings = settings
    this.#startAt = startAt
    this.#split = split
  }

  get info(): string {
    return `mongo2kafka ${this.#settings.version}, Node ${process.version}`
  }

  topicOf(collection: string): string {
    return `p_mongo2kafka.${database}.${collection}`
  }

  /** The same with other settings. */
  with(set: readonly string[]): Ours {
    return new Ours({ ...this.#settings, set: [...this.#settings.set, ...set] }, this.#startAt, this.#split)
  }

  /** Whether this build takes its settings; `job` is any that it will be given. */
  async supports(job: Job): Promise<boolean> {
    const file = await this.#configure(job)
    return await runFile(process.execPath, [main, 'validate', ...this.#arguments(file)]).then(
      () => true,
      () => false,
    )
  }

  async start(job: Job, signal: AbortSignal): Promise<Running> {
    const { workspace } = this.#settings
    const file = await this.#configure(job)
    signal.throwIfAborted()
    const logFile = `${file}.log`
    const { env, options } = firstLineOf(main)
    const args = [...options, ...(this.#settings.node ?? []), main, 'run', ...this.#arguments(file)]
    const command = { program: process.execPath, args, logFile, env: { ...process.env, ...env } }
    const daemon = await ServerProcess.spawn(command, workspace)
    return {
      pid: daemon.pid,
      alive: () => daemon.running,
      log: () => logTail(logFile),
      stop: () => daemon.end('SIGTERM'),
    }
  }

  #arguments(file: string): string[] {
    return ['-c', file, ...this.#settings.set.flatMap(setting => ['--set', setting])]
  }

  async #configure(job: Job): Promise<string> {
    const run = Ours.#runs++
    const file = join(this.#settings.workspace.dir, `ours-${run}.yaml`)
    await writeFile(file, JSON.stringify(this.#config(job, `bench-${run}`), undefined, 2)) // JSON is YAML.
    return file
  }

  #config(job: Job, name: string): object {
    const named = job.collections.map(collection => `${database}.${collection}`)
    const pipelines = this.#split === 'apart' ? named.map(one => [one]) : [named]
    return {
      name,
      delivery: 'at-least-once', // As the peers are; the scenarios that measure exactly-once say so.
      mongodb: { uri: this.#settings.mongoUri },
      sink: { brokers: [this.#settings.brokers] },
      admin: { port: 0 },
      log: { level: 'warn' },
      defaults: { topic: 'p_mongo2kafka.{db}.{collection}' },
      pipelines: pipelines.map((collections, i) => ({
        name: `p${i}`,
        source: {
          collections,
          ...(job.from === 'backlog' && { startAt: this.#startAt }),
          fullDocument: job.lookup ? 'updateLookup' : 'default',
          fullDocumentBeforeChange: 'default',
        },
      })),
    }
  }
}
