import { type Command, ServerProcess, whenReady } from './process.ts'
import type { Server } from './services.ts'
import type { Workspace } from './workspace.ts'

export interface LocalServerSettings {
  /** For errors: `mongod 127.0.0.1:27017`. */
  readonly name: string
  readonly command: Command
  readonly workspace: Workspace
  /** How long a start may take. */
  readonly startLimitMs: number
}

/** The life of one server on this machine: started, hurt, healed and ended as often as one likes, on the same data. */
export abstract class LocalServer implements Server {
  readonly #settings: LocalServerSettings
  #process: ServerProcess | undefined

  constructor(settings: LocalServerSettings) {
    this.#settings = settings
  }

  /** Asks the server once whether it is ready for work. Does not throw, and settles in bounded time. */
  protected abstract isReady(): Promise<boolean>

  get running(): boolean {
    return this.#process?.running ?? false
  }

  get pid(): number | undefined {
    return this.running ? this.#process?.pid : undefined
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.running) return
    const { name, command, workspace, startLimitMs } = this.#settings
    const server = await ServerProcess.spawn(command, workspace)
    this.#process = server
    await whenReady(
      name,
      server,
      command.logFile,
      startLimitMs,
      signal,
      async () => (await this.isReady()) || undefined,
    )
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.end(signal)
  }

  freeze(): void {
    this.#process?.send('SIGSTOP')
  }

  thaw(): void {
    this.#process?.send('SIGCONT')
  }
}

/** Starts all of them at once. */
export async function startAll(servers: readonly Server[], signal: AbortSignal): Promise<void> {
  await everyOne(servers.map(server => server.start(signal)))
}

export async function killAll(servers: readonly Server[]): Promise<void> {
  await everyOne(servers.map(server => server.kill()))
}

/** Their values; where any fails, the first error, but not before all have ended: nothing goes on behind the caller. */
export async function everyOne<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}
