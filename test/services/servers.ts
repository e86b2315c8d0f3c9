import type { ServiceOptions } from '../../src/services/services.ts'

/** Options for servers of a test's own. */
export function options(): ServiceOptions {
  return { env: process.env, signal: AbortSignal.timeout(180_000) }
}

/** Whether a process of this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
