import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { systemClock } from '../clock.ts'
import { Configuration } from '../errors.ts'
import type { Environment } from './services.ts'
import type { Workspace } from './workspace.ts'

const runFile = promisify(execFile)
const killWaitMs = 60_000
const logTailBytes = 4_000
const pollMs = 100

/** What a server process is started with. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** Output is appended here. */
  readonly logFile: string
  /** Default: this process's own. */
  readonly env?: Environment
}

/** A server process of ours, known by its id, guarded by its workspace. */
export class ServerProcess {
  readonly pid: number
  readonly #child: ChildProcess
  readonly #exited: Promise<void>
  #running = true

  private constructor(child: ChildProcess, pid: number, workspace: Workspace) {
    this.#child = child
    this.pid = pid
    this.#exited = new Promise(resolve => {
      child.once('exit', () => {
        this.#running = false
        workspace.release(pid)
        resolve()
      })
    })
  }

  /** Throws SERVICE_FAILED where the program cannot be started at all. */
  static async spawn(command: Command, workspace: Workspace): Promise<ServerProcess> {
    await using log = await open(command.logFile, 'a')
    // Its own session, so that Ctrl-C in a terminal reaches us alone, and we end things in order.
    const child = spawn(command.program, command.args, {
      cwd: workspace.dir,
      ...(command.env && { env: { ...command.env } }),
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    const failure = await new Promise<Error | undefined>(resolve => {
      child.once('spawn', () => resolve(undefined))
      child.once('error', resolve)
    })
    if (failure || child.pid === undefined) {
      throw new Configuration('SERVICE_FAILED', `${command.program} cannot be started`, { cause: failure })
    }
    workspace.adopt(child.pid)
    child.unref()
    return new ServerProcess(child, child.pid, workspace)
  }

  /** Its exit code; null while it runs, or where a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode
  }

  get running(): boolean {
    return this.#running
  }

  send(signal: NodeJS.Signals): void {
    if (this.#running) this.#child.kill(signal)
  }

  /** Sends `signal` and waits until the process is gone; after a minute it is ended by SIGKILL. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.#running) return
    this.send(signal)
    if (signal !== 'SIGKILL') this.send('SIGCONT') // A frozen process does not see a signal until it is thawed.
    const waiting = new AbortController()
    const patience = systemClock.sleep(killWaitMs, waiting.signal).then(
      () => this.send('SIGKILL'),
      () => {},
    )
    await this.#exited
    waiting.abort()
    await patience
  }
}

/**
 * Asks until `attempt` gives something other than undefined. Throws SERVICE_FAILED with the tail of the log when the
 * process ends or `limitMs` is over, and the signal's reason when it aborts.
 */
export async function whenReady<T>(
  what: string,
  process: ServerProcess,
  logFile: string,
  limitMs: number,
  signal: AbortSignal,
  attempt: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = systemClock.nowMs() + limitMs
  while (process.running && systemClock.nowMs() < deadlineMs) {
    signal.throwIfAborted()
    const result = await attempt()
    if (result !== undefined) return result
    await systemClock.sleep(pollMs, signal)
  }
  signal.throwIfAborted()
  const how = process.running ? `did not answer within ${limitMs / 1000} s` : 'ended while it was starting'
  throw new Configuration('SERVICE_FAILED', `${what} ${how}. The end of its log:\n${await logTail(logFile)}`)
}

/** The last lines of a log; empty where there is none. */
export async function logTail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '')
  return text.slice(-logTailBytes)
}

/** Runs a program to its end: its output, or undefined where it is missing or fails. For probing. */
export async function probe(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await runFile(program, args, { signal, timeout: 30_000 })
    return stdout + stderr
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/** Runs a program to its end. Throws SERVICE_FAILED with the end of what it said where it fails or takes too long. */
export async function runToEnd(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly limitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { cwd, limitMs, signal } = options
  try {
    await runFile(program, args, { cwd, signal, timeout: limitMs, maxBuffer: 16 << 20 })
  } catch (error) {
    signal.throwIfAborted()
    const said = error as { stdout?: string; stderr?: string }
    const tail = `${said.stdout ?? ''}${said.stderr ?? ''}`.slice(-logTailBytes)
    throw new Configuration('SERVICE_FAILED', `${program} ${args[0] ?? ''} failed:\n${tail}`, { cause: error })
  }
}
