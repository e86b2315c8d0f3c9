import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../waiting.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Every way in which Node could be asked to write down what it knows when it dies. */
const reports = ['--report-uncaught-exception', '--report-on-fatalerror', '--report-on-signal']

/** A daemon of which everything is kept that it shows anybody: output, answers, files that it leaves behind. */
export class Suspect implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #env: NodeJS.ProcessEnv
  readonly #closed: Promise<unknown>
  output = ''

  private constructor(child: ChildProcess, directory: string, env: NodeJS.ProcessEnv) {
    this.#child = child
    this.#directory = directory
    this.#env = env
    this.#closed = once(child, 'close')
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text
      })
    }
  }

  /** `preload`: code that runs in it first. The variables are all that it has beside PATH and HOME. */
  static async start(yaml: string, variables: Readonly<Record<string, string>>, preload = ''): Promise<Suspect> {
    const directory = await mkdtemp(join(tmpdir(), 'm2k-security-'))
    await writeFile(join(directory, 'config.yaml'), yaml)
    const { PATH = '', HOME = '' } = process.env
    const env = { PATH, HOME, ...variables }
    const imported = `data:text/javascript,${encodeURIComponent(preload)}`
    const child = spawn(process.execPath, [...reports, '--import', imported, main, 'run', '-c', 'config.yaml'], {
      cwd: directory,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new Suspect(child, directory, env)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** The exit code, once all of its output is here. */
  async exit(): Promise<number | null> {
    await this.#closed
    return this.#child.exitCode
  }

  /** Waits for `text` in its output. */
  async says(text: string): Promise<void> {
    const found = () => {
      if (this.output.includes(text)) return true
      if (this.#child.exitCode !== null)
        throw new Error(`it exited before it said ${text}: ${this.output.slice(-3_000)}`)
      return undefined
    }
    await eventually(found, `${text} in the output of the daemon`)
  }

  async url(): Promise<string> {
    await this.says('"admin":{')
    return `http://127.0.0.1:${/"admin":\{"host":"127.0.0.1","port":(\d+)\}/.exec(this.output)?.[1]}`
  }

  /** Head and body of an answer of its admin server. */
  async answer(path: string, init: RequestInit = {}): Promise<string> {
    // On a connection of its own: one that was kept may be closed, being idle, as the next question is sent.
    const headers = { ...init.headers, connection: 'close' }
    const response = await fetch(`${await this.url()}${path}`, { ...init, headers })
    return `${response.status} ${JSON.stringify([...response.headers])}\n${await response.text()}`
  }

  /** What a command shows, in its directory and with its variables: the exit code, and both of its outputs. */
  command(...args: readonly string[]): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>()
    const options = { cwd: this.#directory, env: this.#env, maxBuffer: 64 * 2 ** 20 }
    execFile(process.execPath, [...reports, main, ...args], options, (error, stdout, stderr) => {
      resolve(`exit ${error?.code ?? 0}\n${stdout}\n${stderr}`)
    })
    return promise
  }

  /** What stands in the files that it has left in its directory, its configuration aside. */
  async left(): Promise<string> {
    const names = (await readdir(this.#directory)).filter(name => name !== 'config.yaml')
    const texts = await Promise.all(names.map(name => readFile(join(this.#directory, name), 'latin1')))
    return [...names, ...texts].join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exit()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
