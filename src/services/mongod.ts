import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Document, MongoClient, type MongoClientOptions, MongoError } from 'mongodb'
import { LocalServer } from './local-server.ts'
import type { Member } from './services.ts'
import type { Workspace } from './workspace.ts'

const startLimitMs = 90_000
/** An admin command of ours takes milliseconds; a frozen or electing member must not hold us for the driver's 30 s. */
const impatient: MongoClientOptions = {
  directConnection: true,
  serverSelectionTimeoutMS: 2_000,
  connectTimeoutMS: 2_000,
  socketTimeoutMS: 20_000,
  maxPoolSize: 2,
}
/** For a member that nobody has harmed: it may be slow on a busy machine, and nothing asks it again. */
export const patient: MongoClientOptions = { serverSelectionTimeoutMS: 30_000, connectTimeoutMS: 30_000 }

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface MongodSettings {
  readonly program: string
  readonly port: number
  readonly workspace: Workspace
  readonly setParameters: Readonly<Record<string, string | number | boolean>>
  /** Other command-line arguments: --replSet, --keyFile, … */
  readonly args: readonly string[]
}

/** One mongod, small: it shares a machine with tests, a broker and people. */
export class Mongod extends LocalServer implements Member {
  readonly host: string
  readonly #dbPath: string

  constructor(settings: MongodSettings) {
    const { program, port, workspace } = settings
    const host = `127.0.0.1:${port}`
    const dbPath = join(workspace.dir, `data-${port}`)
    const parameters = { diagnosticDataCollectionEnabled: false, ...settings.setParameters }
    const args = [
      ...['--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--dbpath', dbPath],
      ...['--wiredTigerCacheSizeGB', '0.25'],
      ...Object.entries(parameters).flatMap(([name, value]) => ['--setParameter', `${name}=${value}`]),
      ...settings.args,
    ]
    const command = { program, args, logFile: join(workspace.dir, `mongod-${port}.log`) }
    super({ name: `mongod ${host}`, command, workspace, startLimitMs })
    this.host = host
    this.#dbPath = dbPath
  }

  override async start(signal: AbortSignal): Promise<void> {
    await mkdir(this.#dbPath, { recursive: true })
    await super.start(signal)
  }

  /** hello needs no credentials and is answered in every state of a replica set member. */
  protected override async isReady(): Promise<boolean> {
    return (await this.hello()) !== undefined
  }

  /** Its answer to hello; undefined where it gives none within two seconds. */
  async hello(): Promise<Document | undefined> {
    if (!this.running) return undefined
    try {
      await using client = new MongoClient(`mongodb://${this.host}`, { ...impatient, socketTimeoutMS: 2_000 })
      return await client.db('admin').command({ hello: 1 })
    } catch (error) {
      if (error instanceof MongoError) return undefined
      throw error
    }
  }

  /** Runs an admin command on this very member. Rejects with the driver's error. */
  async admin(command: Document, credentials?: Credentials, limits?: MongoClientOptions): Promise<Document> {
    const auth = credentials && { auth: { ...credentials }, authSource: 'admin' }
    await using client = new MongoClient(`mongodb://${this.host}`, { ...impatient, ...limits, ...auth })
    return await client.db('admin').command(command)
  }
}
