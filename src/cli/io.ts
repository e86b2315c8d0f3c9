import type { Writable } from 'node:stream'

/** Where a command writes: data to stdout, messages to stderr. */
export interface Io {
  readonly stdout: Writable
  readonly stderr: Writable
}

/** Exit codes of the contract. */
export const exitCodes = { done: 0, failed: 1, findings: 2, usage: 64, configuration: 78 } as const
