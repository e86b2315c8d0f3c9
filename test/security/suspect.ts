import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '../integration/daemon.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

/** Every way in which Node could be asked to write down what it knows when it dies. */
const reports = ['--report-uncaught-exception', '--report-on-fatalerror', '--report-on-signal']

/** A daemon of which everything is kept that it shows anybody: output, answers, files that it leaves behind. */
export class Suspect implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #directory: string
  readonly #closed: Promise<unknown>
  output = ''

  private constructor(child: ChildProcess, directory: string) {
    this.#child = child
    this.#directory = directory
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
    const imported = `data:text/javascript,${encodeURIComponent(preload)}`
    const child = spawn(process.execPath, [...reports, '--import', imported, main, 'run', '-c', 'config.yaml'], {
      cwd: directory,
      env: { PATH, HOME, ...variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return new Suspect(child, directory)
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
