import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * The guard is a shell that reads "add PID", "del PID" and "end" from a pipe which only we hold. When this process
 * dies, by whatever signal, the pipe closes, and the guard ends what is left and removes the directory. Signal
 * handlers of our own could not do that after SIGKILL, and would meddle with those of the program.
 */
const guardScript = `
pids=
while read -r verb pid; do
  case $verb in
    add) pids="$pids $pid" ;;
    del) left=; for p in $pids; do [ "$p" = "$pid" ] || left="$left $p"; done; pids=$left ;;
    end) exit 0 ;;
  esac
done
for p in $pids; do kill -9 "$p" 2>/dev/null; done
sleep 1
rm -rf "$1"
`

/** A directory for a service's data and logs, which goes with the service or with this process. */
export class Workspace implements AsyncDisposable {
  readonly dir: string
  readonly #guard: ChildProcess

  private constructor(dir: string, guard: ChildProcess) {
    this.dir = dir
    this.#guard = guard
  }

  static async open(purpose: string): Promise<Workspace> {
    const dir = await mkdtemp(join(tmpdir(), `mongo2kafka-${purpose}-`))
    // Its own session: Ctrl-C in a terminal must not end the guard before what it guards.
    const guard = spawn('/bin/sh', ['-c', guardScript, 'guard', dir], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    guard.on('error', () => {}) // Without /bin/sh there is no guard, and dispose still works.
    guard.stdin?.on('error', () => {})
    guard.unref()
    return new Workspace(dir, guard)
  }

  /** From now on `pid` ends with this process. */
  adopt(pid: number): void {
    this.#guard.stdin?.write(`add ${pid}\n`)
  }

  /** `pid` has ended; the system may give the number to a stranger. */
  release(pid: number): void {
    this.#guard.stdin?.write(`del ${pid}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    this.#guard.stdin?.end('end\n')
  }
}
