import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PipelineStatus } from '../../src/status.ts'
import { eventually, within } from '../waiting.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Each question on a connection of its own: one that was kept may be closed, being idle, as the next one is sent. */
const alone = { connection: 'close' }

/** A daemon as users run it: a process of its own, with a configuration file of its own. */
export class Daemon implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #closed: Promise<unknown>
  #port: string | undefined
  /** The last of both streams, as they came. */
  output = ''
  stdout = ''
  stderr = ''

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child
    this.#directory = directory
    this.#closed = once(child, 'close')
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] = (this[name] + text).slice(-200_000)
        this.output = (this.output + text).slice(-200_000)
      })
    }
  }

  static async start(yaml: string): Promise<Daemon> {
    const directory = await mkdtemp(join(tmpdir(), 'm2k-test-'))
    const file = join(directory, 'config.yaml')
    await writeFile(file, yaml)
    const child = spawn(process.execPath, [main, 'run', '-c', file], { stdio: ['ignore', 'pipe', 'pipe'] })
    return new Daemon(child, directory)
  }

  /** Puts another configuration file in the place of its own. */
  async rewrite(yaml: string): Promise<void> {
    const next = join(this.#directory, 'next.yaml')
    await writeFile(next, yaml)
    await rename(next, join(this.#directory, 'config.yaml'))
  }

  /** Orders it to pause or resume a pipeline; its answer, which is the HTTP status where it refuses. */
  async order(pipeline: string, action: 'pause' | 'resume', token: string): Promise<unknown> {
    const url = `${await this.adminUrl()}/api/v1/pipelines/${pipeline}/${action}`
    const headers = { authorization: `Bearer ${token}`, ...alone }
    const response = await fetch(url, { method: 'POST', headers })
    return response.ok ? response.json() : response.status
  }

  /** Whether it calls itself ready, and what it says of it. */
  async readiness(): Promise<{ readonly status: number; readonly body: unknown }> {
    const { status, text } = await this.#answer('/readyz')
    return { status, body: JSON.parse(text) as unknown }
  }

  /** What it answers at a path of its admin server, as JSON. */
  async get(path: string): Promise<unknown> {
    return JSON.parse(await this.text(path)) as unknown
  }

  /** What it answers at a path of its admin server. */
  async text(path: string): Promise<string> {
    return (await this.#answer(path)).text
  }

  /** Asks until it answers. A busy machine may send a question later than the server waits for it: 408, and nothing else. */
  #answer(path: string): Promise<{ readonly status: number; readonly text: string }> {
    const ask = async () => {
      const url = `${await this.adminUrl()}${path}` // Throws where the daemon has exited.
      const response = await fetch(url, { headers: alone }).catch(() => undefined)
      if (response === undefined || response.status === 408) return undefined
      return { status: response.status, text: await response.text() }
    }
    return eventually(ask, `an answer at ${path}`)
  }

  /** The exit code, null where a signal ended it, once all of its output is here. */
  async exit(): Promise<number | null> {
    await within(this.#closed, () => `an exit: ${this.output.slice(-5_000)}`)
    return this.#child.exitCode
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  async stop(name: NodeJS.Signals): Promise<number | null> {
    this.signal(name)
    return this.exit()
  }

  /** Where its admin server listens, as its log says. */
  async adminUrl(): Promise<string> {
    this.#port ??= await eventually(() => {
      if (this.#child.exitCode !== null) throw new Error(`the daemon exited: ${this.output}`)
      return /"admin":\{"host":"127.0.0.1","port":(\d+)\}/.exec(this.output)?.[1]
    }, 'the port')
    return `http://127.0.0.1:${this.#port}`
  }

  async statuses(): Promise<readonly PipelineStatus[]> {
    return ((await this.get('/api/v1/pipelines')) as { pipelines: PipelineStatus[] }).pipelines
  }

  /** Waits until the pipeline is in one of the states. */
  async reaches(pipeline: string, ...states: readonly string[]): Promise<PipelineStatus> {
    const found = async () => {
      if (this.#child.exitCode !== null) throw new Error(`the daemon exited: ${this.output}`)
      return (await this.statuses()).find(({ name, state }) => name === pipeline && states.includes(state))
    }
    const what = () => `pipeline ${pipeline} in state ${states.join(' or ')}: ${this.output.slice(-3_000)}`
    return eventually(found, what)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exit()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
