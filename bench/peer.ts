import { execFile } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Workspace } from '../src/services/workspace.ts'
import { database } from './backlog.ts'
import type { Connector, Job, Running } from './connector.ts'

const runFile = promisify(execFile)
const adapterLimitMs = 180_000

export const peerNames = ['mongo-kafka', 'debezium'] as const
export type PeerName = (typeof peerNames)[number]

export interface PeerSettings {
  readonly workspace: Workspace
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A peer inside Kafka Connect, driven by its adapter in bench/peers/adapters. */
export class Peer implements Connector {
  readonly name: PeerName
  readonly info: string
  /** Debezium writes a tombstone after each delete, which is a tenth of the mix. */
  readonly recordsPerEvent: number
  readonly #settings: PeerSettings

  private constructor(name: PeerName, info: string, settings: PeerSettings) {
    this.name = name
    this.info = info
    this.recordsPerEvent = name === 'debezium' ? 1.1 : 1
    this.#settings = settings
  }

  static async open(name: PeerName, settings: PeerSettings): Promise<Peer> {
    await mkdir(join(settings.workspace.dir, name), { recursive: true })
    const info = await adapter(name, settings.env, ['info'])
    return new Peer(name, info, settings)
  }

  topicOf(collection: string): string {
    return `${this.#prefix}.${database}.${collection}`
  }

  /** From `backlog` it resumes at the position that `keepPosition` kept; from `now` it has none. */
  async start(job: Job, signal: AbortSignal): Promise<Running> {
    const [collection] = job.collections
    if (collection === undefined || job.collections.length > 1) throw new RangeError('a peer reads one collection')
    const { workspace, env } = this.#settings
    const run = (...args: string[]) => adapter(this.name, { ...env, ...this.#environment(job, collection) }, args)
    await (job.from === 'backlog' ? run('load-offsets', this.#kept) : run('reset'))
    signal.throwIfAborted()
    await run('start')
    const pid = Number(await run('pid'))
    workspace.adopt(pid)
    return {
      pid,
      alive: () => isAlive(pid),
      log: async () => (await readFile(join(workspace.dir, this.name, 'log'), 'utf8').catch(() => '')).slice(-4_000),
      stop: async () => {
        await run('stop')
        workspace.release(pid)
      },
    }
  }

  /** Waits until the connector's task runs. Rejects where it has failed. */
  async ready(): Promise<void> {
    await adapter(this.name, this.#settings.env, ['wait-ready'])
  }

  /** Keeps the stored position of the stopped connector for every run from `backlog`. */
  async keepPosition(): Promise<void> {
    await adapter(this.name, this.#settings.env, ['save-offsets', this.#kept])
  }

  get #prefix(): string {
    return `p_${this.name.replace(/\W/g, '')}`
  }

  get #kept(): string {
    return join(this.#settings.workspace.dir, `${this.name}.offsets`)
  }

  #environment(job: Job, collection: string): Record<string, string> {
    const variant = `${job.lookup ? 'lookup' : 'nolookup'}-${job.settings}`
    return { VARIANT: variant, DB: database, COLL: collection, MODE: 'stream', TOPIC_PREFIX: this.#prefix }
  }
}

async function adapter(name: PeerName, env: PeerSettings['env'], args: readonly string[]): Promise<string> {
  const script = join(import.meta.dirname, 'peers/adapters', `${name}.sh`)
  const { stdout } = await runFile('bash', [script, ...args], { env: { ...env }, timeout: adapterLimitMs })
  return stdout.trim()
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
