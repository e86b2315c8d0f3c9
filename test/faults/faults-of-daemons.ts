import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from './daemon.ts'
import { type Fault, fences, missedWork, moment, restartLimitMs, someDaemon } from './fault.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

/** Beyond the transaction timeout of 10 s and the broker's sweep of 10 s. */
const beyondTransactionMs = 22_000
const blockedMs = 4_000
const togetherMs = 6_000
const fenceLimitMs = 60_000
const startLimitMs = 120_000
const kills = 5

export const killed: Fault = {
  name: 'daemon killed',
  recoveryLimitMs: restartLimitMs,
  kills: true,
  sparesServers: true,
  async inject(session) {
    await moment(session, 2_000)
    const daemon = someDaemon(session)
    await daemon.kill()
    const recoversSinceMs = Date.now()
    const missed = await missedWork(session, daemon)
    return { bites: () => missed, recoversSinceMs }
  },
}

/** Also while it starts, reads checkpoints, fences. */
export const killedOften: Fault = {
  name: 'daemon killed five times',
  recoveryLimitMs: restartLimitMs,
  kills: true,
  sparesServers: true,
  async inject(session) {
    let recoversSinceMs = 0
    let missed = 0
    for (let i = 0; i < kills; i++) {
      await until(() => session.daemons.some(({ running }) => running), 'a daemon', startLimitMs)
      const daemon = someDaemon(session)
      await daemon.kill()
      recoversSinceMs = Date.now()
      if (await missedWork(session, daemon)) missed += 1
      if (i < kills - 1) await moment(session, 4_000)
    }
    return { bites: () => missed === kills, kills: missed, recoversSinceMs }
  },
}

/** While nobody produces, the checkpoints are compared with the topics. */
export const killedAndInspected: Fault = {
  name: 'all daemons killed, checkpoints judged',
  recoveryLimitMs: restartLimitMs,
  kills: true,
  sparesServers: true,
  async inject(session) {
    await moment(session, 2_000)
    const kept = session.daemons.filter(daemon => daemon.kept) // A copy that an earlier fault left stays away.
    await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
    const before = session.changes
    await session.judgeCheckpoints()
    // Nobody reads: whatever comes is missed by all of them.
    await until(() => session.changes > before, 'a change', startLimitMs).catch(() => undefined)
    const missed = session.changes > before
    await Promise.all(kept.map(daemon => daemon.start()))
    return { bites: () => missed, recoversSinceMs: Date.now() }
  },
}

/** A clean stop, which repeats nothing and exits with 0. */
export const restarted: Fault = {
  name: 'daemon stopped by SIGTERM',
  recoveryLimitMs: restartLimitMs,
  sparesServers: true,
  async inject(session) {
    const daemon = someDaemon(session)
    const code = await daemon.restart()
    if (code !== 0)
      session.violations.push(`G3: SIGTERM ended ${daemon.name} with ${code}: ${daemon.output.slice(-500)}`)
    const recoversSinceMs = Date.now()
    const missed = await missedWork(session, daemon)
    return { bites: () => code !== null && missed, recoversSinceMs }
  },
}

/** Nothing moves in it, as when a page fault or a garbage collection takes seconds. */
export const blocked: Fault = {
  name: 'event loop blocked',
  recoveryLimitMs: 5_000,
  inject: session => frozenFor(session, blockedMs),
}

export const asleep: Fault = {
  name: 'daemon frozen beyond the transaction timeout',
  recoveryLimitMs: restartLimitMs,
  mayEndWith: 'FENCED',
  inject: session => frozenFor(session, beyondTransactionMs),
}

async function frozenFor(session: Session, ms: number) {
  const daemon = someDaemon(session)
  const before = session.changes
  daemon.freeze()
  await sleep(ms)
  const missed = session.changes > before
  daemon.thaw()
  return { bites: () => missed, recoversSinceMs: Date.now() }
}

/**
 * An operator's mistake, or an orchestrator that believes the first one gone. Each start fences the other one. Not where
 * checkpoints are files: two processes that save within the same milliseconds can miss each other (docs/guarantees.md).
 */
export const twoCopies: Fault = {
  name: 'two copies at once',
  recoveryLimitMs: restartLimitMs,
  mayEndWith: 'FENCED',
  fits: session => session.mode.daemons === 1 && fences(session),
  async inject(session) {
    const copy = session.daemons.find(({ name }) => name === 'daemon-2') ?? (await session.addDaemon())
    const fenced = anyFenced(session.daemons)
    await copy.start()
    await until(fenced, 'a fenced daemon', startLimitMs).catch(() => undefined)
    await sleep(togetherMs)
    const bites = fenced()
    const heal = async () => {
      await copy.stop('SIGKILL')
    }
    return { bites: () => bites, heal }
  },
}

/** Whether one of them, which one is a matter of chance, has said from now on that another start fenced it. */
function anyFenced(daemons: readonly Daemon[]): () => boolean {
  const heard = daemons.map(daemon => daemon.listenFor('FENCED'))
  return () => heard.some(hasHeard => hasHeard())
}

/** The first is frozen, a second takes its place, the first wakes up and goes on where it was. */
export const zombie: Fault = {
  name: 'a frozen daemon is replaced and wakes up',
  recoveryLimitMs: restartLimitMs,
  mayEndWith: 'FENCED',
  fits: session => session.mode.daemons === 1 && fences(session),
  async inject(session) {
    const [first] = session.daemons
    const copy = session.daemons.find(({ name }) => name === 'daemon-2') ?? (await session.addDaemon())
    first?.freeze()
    await copy.start()
    await session.progress(startLimitMs)
    const fenced = anyFenced(session.daemons)
    first?.thaw()
    await until(fenced, 'a fenced daemon', fenceLimitMs).catch(() => undefined)
    await sleep(togetherMs)
    const bites = fenced()
    const heal = async () => {
      await copy.stop('SIGKILL')
    }
    return { bites: () => bites, heal }
  },
}
