import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { firstLineOf } from '../../bench/first-line.ts'
import type { Link } from './link.ts'
import { until } from './until.ts'

const ownMain = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
/** Loaded before the daemon itself. */
const preloads = ['redirect.ts', 'clock-step.ts'].map(name => fileURLToPath(new URL(name, import.meta.url)))
const restartMs = 300
const quietTickMs = 20
const tailBytes = 60_000
const answerLimitMs = 30_000
/** Of the heap that the daemon may use, in every run (G7). */
const heapLimitMb = 128

export interface DaemonOptions {
  readonly name: string
  readonly directory: string
  readonly config: string
  readonly links: readonly Link[]
  /** Default: that of this checkout. */
  readonly main?: string | undefined
  /** Where its whole log is kept; default: nowhere. */
  readonly logs?: string | undefined
}

/** How a process of the daemon ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The end of its log. */
  readonly output: string
}

/** A daemon and the keeper that starts it again whenever it ends, as an orchestrator would. */
export class Daemon implements AsyncDisposable {
  readonly name: string
  readonly links: readonly Link[]
  /** Its configuration. */
  readonly file: string
  /** Its main file, run by Node. */
  readonly main: string
  /** Endings that nobody asked for: neither by `kill` nor by `stop`. */
  readonly surprises: Ending[] = []
  starts = 0
  /** Processes that SIGKILL ended. */
  kills = 0
  /** The largest resident memory of any of its processes. */
  memoryPeakBytes = 0
  output = ''
  readonly #options: DaemonOptions
  /** By start: what its metrics said last of records that a replay left out, because the target has them. */
  readonly #leftOut = new Map<number, number>()
  readonly #clock: string
  readonly #log: string | undefined
  readonly #listeners = new Set<(text: string) => void>()
  #child: ChildProcess | undefined
  #keeping = false
  #expected = false
  /** Whether this process has said anything yet. */
  #spoken = false
  #frozen = false
  #gone: Promise<void> = Promise.resolve()
  #restart: NodeJS.Timeout | undefined

  constructor(options: DaemonOptions) {
    this.#options = options
    this.name = options.name
    this.links = options.links
    this.main = options.main ?? ownMain
    this.file = join(options.directory, `${options.name}.yaml`)
    this.#clock = join(options.directory, `${options.name}.clock`)
    this.#log = options.logs && join(options.logs, `${basename(options.directory)}-${options.name}.log`)
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Whether it is started again when it ends. */
  get kept(): boolean {
    return this.#keeping
  }

  /** Records that replays left out, because the target has them: as far as `measure` has seen. */
  get leftOut(): number {
    return this.#leftOut.values().reduce((sum, count) => sum + count, 0)
  }

  /** Starts it, and from then on whenever it ends. */
  async start(): Promise<void> {
    if (this.#keeping) return
    await writeFile(this.file, this.#options.config)
    this.#keeping = true
    await this.#spawnWhenQuiet()
  }

  /** Ends this process at once; the keeper starts the next. */
  async kill(): Promise<void> {
    this.#expected = true
    this.#child?.kill('SIGKILL')
    await this.#gone
  }

  /** At once, in the middle of whatever calls this. */
  killNow(): void {
    this.#expected = true
    this.#child?.kill('SIGKILL')
  }

  /** Ends it for good, by SIGTERM or SIGKILL. The exit code, null after SIGKILL. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.#keeping = false
    this.#expected = true
    clearTimeout(this.#restart)
    const child = this.#child
    if (this.#frozen) this.thaw()
    child?.kill(signal)
    await this.#gone
    return child?.exitCode ?? null
  }

  /** SIGTERM; the keeper starts the next. The exit code. */
  async restart(): Promise<number | null> {
    this.#expected = true
    const child = this.#child
    child?.kill('SIGTERM')
    await this.#gone
    return child?.exitCode ?? null
  }

  freeze(): void {
    this.#frozen = true
    this.#child?.kill('SIGSTOP')
  }

  thaw(): void {
    this.#frozen = false
    this.#child?.kill('SIGCONT')
  }

  /**
   * Sets its wall clock this much ahead of ours, milliseconds, from now on and in its next processes too. Whether it has
   * said so.
   */
  async stepClock(aheadMs: number): Promise<boolean> {
    await writeFile(this.#clock, String(aheadMs))
    // A process that has said something has loaded what listens to the signal; it would end any other.
    await until(() => this.#spoken, 'a word of the daemon', answerLimitMs)
    const hasSaid = this.listenFor(`the clock is ${aheadMs} ms ahead`)
    this.#child?.kill('SIGUSR2')
    await until(() => hasSaid() || !this.running, 'the stepped clock', answerLimitMs).catch(() => undefined)
    return hasSaid()
  }

  /** Gives what tells whether any of its processes has said `words` since this call. */
  listenFor(words: string): () => boolean {
    let said = ''
    let heard = false
    const listen = (text: string) => {
      said += text
      heard = said.includes(words)
      said = said.slice(-words.length)
      if (heard) this.#listeners.delete(listen)
    }
    this.#listeners.add(listen)
    return () => heard
  }

  /** Reads what its metrics say, and its memory's high-water mark; on systems without /proc not that. */
  async measure(): Promise<void> {
    const start = this.starts
    const counts = (await this.#text('/metrics'))?.matchAll(/records_total\{[^}]*"already-there"[^}]*\} (\d+)/g) ?? []
    const leftOut = [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
    if (start === this.starts) this.#leftOut.set(start, Math.max(leftOut, this.#leftOut.get(start) ?? 0))
    const status = await readFile(`/proc/${this.#child?.pid}/status`, 'utf8').catch(() => '')
    const kilobytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0)
    this.memoryPeakBytes = Math.max(this.memoryPeakBytes, kilobytes << 10)
  }

  /** The answer of its admin server to GET; undefined while there is none. */
  async #text(path: string): Promise<string | undefined> {
    const port = [...this.output.matchAll(/"admin":\{"host":"127.0.0.1","port":(\d+)\}/g)].at(-1)?.[1]
    if (port === undefined) return undefined
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) })
      return await response.text()
    } catch {
      return undefined
    }
  }

  /** Once the servers have carried out all that its last process asked, where its links wait for that. */
  async #spawnWhenQuiet(): Promise<void> {
    const last = this.#child
    while (this.#keeping && this.links.some(({ lingering }) => lingering > 0)) await sleep(quietTickMs)
    if (this.#keeping && this.#child === last) this.#spawn()
  }

  #spawn(): void {
    const ports = Object.fromEntries(this.links.map(({ targetPort, port }) => [targetPort, port]))
    const { env, options } = firstLineOf(this.main)
    const limits = [...options, `--max-old-space-size=${heapLimitMb}`]
    const imports = preloads.flatMap(file => ['--import', file])
    const child = spawn(process.execPath, [...limits, ...imports, this.main, 'run', '-c', this.file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env, FAULT_LINKS: JSON.stringify(ports), FAULT_CLOCK: this.#clock },
    })
    this.#child = child
    this.#expected = false
    this.#spoken = false
    this.#frozen = false
    this.starts += 1
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        if (child === this.#child) this.#spoken = true
        for (const listen of this.#listeners) listen(text)
        if (this.#log !== undefined) appendFileSync(this.#log, text)
        output = (output + text).slice(-tailBytes)
        this.output = (this.output + text).slice(-tailBytes)
      })
    }
    this.#gone = once(child, 'close').then(() => {
      const { exitCode: code, signalCode: signal } = child
      if (!this.#expected) this.surprises.push({ code, signal, output })
      if (signal === 'SIGKILL') this.kills += 1
      if (this.#keeping) this.#restart = setTimeout(() => void this.#spawnWhenQuiet(), restartMs)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL')
  }
}
