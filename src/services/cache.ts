import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import type { Environment, Progress } from './services.ts'

const reportEveryMs = 10_000

/** Where downloads are kept, outside any source tree: `$XDG_CACHE_HOME/mongo2kafka` or `~/.cache/mongo2kafka`. */
export function cacheDir(env: Environment): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'mongo2kafka')
}

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

/**
 * The directory `name` of the cache, made by `fill` where it is absent. It is filled under another name and then
 * renamed, so it is either absent or whole, however the filling ended and however many processes do it at once: the
 * first rename wins, the others drop their copy.
 */
export async function cached(cache: string, name: string, fill: (dir: string) => Promise<void>): Promise<string> {
  const target = join(cache, name)
  if (await exists(target)) return target
  await mkdir(cache, { recursive: true })
  await removeLeftovers(cache, name)
  const partial = join(cache, `${name}.${process.pid}-${Math.floor(systemClock.random() * 1e9)}.partial`)
  await mkdir(partial)
  try {
    await fill(partial)
    await rename(partial, target).catch(async error => {
      if (!(await exists(target))) throw error
    })
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return target
}

/** What processes that are gone left half filled. */
async function removeLeftovers(cache: string, name: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (!entry.startsWith(`${name}.`) || !entry.endsWith('.partial')) continue
    const pid = Number(entry.slice(name.length + 1).split('-')[0])
    if (!isAlive(pid)) await rm(join(cache, entry), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Says `line` now, and every ten seconds that `work` is not done yet. */
export async function reporting(
  progress: Progress | undefined,
  line: string,
  work: () => Promise<void>,
): Promise<void> {
  progress?.(line)
  const done = new AbortController()
  const startedMs = systemClock.nowMs()
  const tick = async () => {
    for (;;) {
      await systemClock.sleep(reportEveryMs, done.signal)
      progress?.(`${line} … ${Math.round((systemClock.nowMs() - startedMs) / 1000)} s`)
    }
  }
  const ticking = tick().catch(() => {})
  try {
    await work()
  } finally {
    done.abort()
    await ticking
  }
}
