import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from './daemon.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

/** What was done, and how to undo it. */
export interface Harm {
  /** Whether it met work under way: a fault that nobody felt shows nothing. */
  bites(): boolean
  /** Undoes it; the product needs no help but this. Default: nothing is left to undo. */
  heal?(): Promise<void>
  /** From when on changes must arrive again, if that does not wait for `heal`. */
  readonly recoversSinceMs?: number
  /** Processes that were killed under work, where that is not one for a fault that kills. */
  readonly kills?: number
  /** How long earlier recoveries took, where it was done several times, milliseconds. */
  readonly earlierRecoveriesMs?: readonly number[]
}

export interface Fault {
  readonly name: string
  /** Does the harm, for as long as it takes to be felt. */
  inject(session: Session): Promise<Harm>
  /** In which time changes must arrive again, in the median; three times it is the hard stop. */
  readonly recoveryLimitMs: number
  /** Whether its harm is that a process ends at once, a daemon or a server: a run without such a fault shows little. */
  readonly kills?: true
  /** Whether all servers and links stay well, so that a target without transactions is sent nothing twice (G4). */
  readonly sparesServers?: true
  /** With which error the daemon may end meanwhile, if it may. */
  readonly mayEndWith?: string
  /** Where it makes sense; default: everywhere. */
  fits?(session: Session): boolean
}

/** One of `list`, as the session's seed says. */
export function pick<T>(session: Session, list: readonly T[]): T {
  return list[Math.floor(session.random() * list.length)]!
}

/** Waits a time between 0 and `limitMs`, as the session's seed says. */
export async function moment(session: Session, limitMs: number): Promise<void> {
  await sleep(session.random() * limitMs)
}

/** A daemon that works now. */
export function someDaemon(session: Session): Daemon {
  return pick(
    session,
    session.daemons.filter(({ running }) => running),
  )
}

/** Changes that MongoDB has acknowledged and no reader has seen: what a fault may hit. */
export function underWay(session: Session): number {
  return session.changes - (session.arrivals.seen.length - session.arrivals.duplicates)
}

/**
 * Whether MongoDB acknowledged changes while `daemon`, whose process is gone, did not read yet: work that it missed. To
 * be called before its next process reads.
 */
export async function missedWork(session: Session, daemon: Daemon): Promise<boolean> {
  const before = session.changes
  const reads = daemon.listenFor('reading changes')
  await until(() => session.changes > before || reads(), 'a change or a reader', missLimitMs).catch(() => undefined)
  return session.changes > before
}

const missLimitMs = 120_000

/** Process start, stores opened, stream opened, on a machine that does other things too. */
export const restartLimitMs = 10_000

/** Whether the checkpoints are records of Kafka. */
export function savesInKafka({ mode }: Session): boolean {
  return mode.store === undefined
}

/** Whether a start fences the one before: two processes that save to files within the same milliseconds can miss it. */
export function fences({ mode }: Session): boolean {
  return mode.store !== 'file'
}
