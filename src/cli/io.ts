import type { Writable } from 'node:stream'
import type { Secrets } from '../secret.ts'

/** What a command has of the process: data goes to stdout, messages to stderr. */
export interface Io {
  readonly stdout: Writable
  readonly stderr: Writable
  /** From the first call on SIGHUP calls the listeners; before, it ends the process, as everywhere. */
  readonly onHangUp?: (listener: () => void) => void
  /** Is given the secrets that the process knows, so that no crash shows them either (G9). */
  readonly onSecrets?: (secrets: Secrets) => void
}

/** Exit codes of the contract. */
export const exitCodes = { done: 0, failed: 1, findings: 2, usage: 64, configuration: 78 } as const
