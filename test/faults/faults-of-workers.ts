import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from './daemon.ts'
import { type Fault, type Harm, someDaemon } from './fault.ts'
import { sessionTimeoutMs } from './modes.ts'
import type { Session } from './session.ts'

/** The others notice after the session timeout, and then need this long to read on. */
const recoveryLimitMs = sessionTimeoutMs + 3_000
/** For what wakes up to find out that it is not wanted any more. */
const backMs = 5_000

/** One worker is gone in some way; the others take its slots over. */
function workerFault(
  name: string,
  hurt: (worker: Daemon) => Promise<void>,
  heal: (worker: Daemon) => Promise<void>,
  kind: Pick<Fault, 'kills'> = {},
): Fault {
  return {
    name,
    recoveryLimitMs,
    ...kind,
    mayEndWith: 'FENCED',
    fits: ({ mode }) => mode.daemons > 1,
    async inject(session): Promise<Harm> {
      const worker = someDaemon(session)
      const recoversSinceMs = Date.now()
      await hurt(worker)
      return { bites: () => owned(session, worker), heal: () => heal(worker), recoversSinceMs }
    },
  }
}

/** Whether somebody else is there to take over. */
function owned(session: Session, worker: Daemon): boolean {
  return session.daemons.some(other => other !== worker && other.running)
}

function linksOf(worker: Daemon, state: 'held' | 'open'): void {
  for (const link of worker.links) link.state = { kind: state }
}

export const workerFaults: readonly Fault[] = [
  workerFault(
    'worker killed and away',
    async worker => {
      await worker.stop('SIGKILL')
    },
    worker => worker.start(),
    { kills: true },
  ),
  workerFault(
    'worker frozen, its slots taken over, and awake again',
    async worker => worker.freeze(),
    async worker => {
      worker.thaw()
      await sleep(backMs)
    },
  ),
  workerFault(
    'worker cut off, its slots taken over, and back again',
    async worker => linksOf(worker, 'held'),
    async worker => {
      linksOf(worker, 'open')
      await sleep(backMs)
    },
  ),
  workerFault(
    'worker stopped and away',
    async worker => {
      await worker.stop('SIGTERM')
    },
    worker => worker.start(),
  ),
]
