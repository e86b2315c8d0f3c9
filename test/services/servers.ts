import type { Properties, ServiceOptions } from '../../src/services/services.ts'

/** Options for servers of a test's own. */
export function options(): ServiceOptions {
  return { env: process.env, signal: AbortSignal.timeout(360_000) }
}

/**
 * For a broker that is killed and started again: its controller takes it back only once its former session is over,
 * after nine seconds unless it is told otherwise.
 */
export const soonBack: Properties = { 'broker.heartbeat.interval.ms': 500, 'broker.session.timeout.ms': 3_000 }

/** Whether a process of this id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
