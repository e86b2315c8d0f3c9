import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, moment, restartLimitMs, savesInKafka, someDaemon } from './fault.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const nothing = async () => {}
/** Beyond the transaction timeout of 10 s and the broker's sweep of 10 s. */
const beyondTransactionMs = 22_000
const blockedMs = 4_000
const togetherMs = 6_000
const startLimitMs = 120_000

export const killed: Fault = {
  name: 'daemon killed',
  recoveryLimitMs: restartLimitMs,
  async inject(session) {
    await moment(session, 2_000)
    const daemon = someDaemon(session)
    const before = session.changes
    await daemon.kill()
    return { bites: () => session.changes > before, heal: nothing, recoversSinceMs: Date.now() }
  },
}

/** Also while it starts, reads checkpoints, fences. */
export const killedOften: Fault = {
  name: 'daemon killed five times',
  recoveryLimitMs: restartLimitMs,
  async inject(session) {
    const before = session.changes
    for (let i = 0; i < 5; i++) {
      await someDaemon(session).kill()
      await moment(session, 4_000)
      await until(() => session.daemons.some(({ running }) => running), 'a daemon', startLimitMs)
    }
    return { bites: () => session.changes > before, heal: nothing, recoversSinceMs: Date.now() }
  },
}

/** While nobody produces, the checkpoints are compared with the topics. */
export const killedAndInspected: Fault = {
  name: 'all daemons killed, checkpoints judged',
  recoveryLimitMs: restartLimitMs,
  async inject(session) {
    await moment(session, 2_000)
    const before = session.changes
    await Promise.all(session.daemons.map(daemon => daemon.stop('SIGKILL')))
    await session.judgeCheckpoints()
    await Promise.all(session.daemons.map(daemon => daemon.start()))
    return { bites: () => session.changes > before, heal: nothing, recoversSinceMs: Date.now() }
  },
}

/** A clean stop, which repeats nothing and exits with 0. */
export const restarted: Fault = {
  name: 'daemon stopped by SIGTERM',
  recoveryLimitMs: restartLimitMs,
  async inject(session) {
    const daemon = someDaemon(session)
    const code = await daemon.restart()
    if (code !== 0)
      session.violations.push(`G3: SIGTERM ended ${daemon.name} with ${code}: ${daemon.output.slice(-500)}`)
    return { bites: () => code !== null, heal: nothing, recoversSinceMs: Date.now() }
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
  daemon.thaw()
  return { bites: () => session.changes > before, heal: nothing, recoversSinceMs: Date.now() }
}

/**
 * An operator's mistake, or an orchestrator that believes the first one gone. Not where delivery is at-least-once: of
 * two copies that start in the same moment the loser may repeat an old value last (docs/guarantees.md).
 */
export const twoCopies: Fault = {
  name: 'two copies at once',
  recoveryLimitMs: restartLimitMs,
  mayEndWith: 'FENCED',
  fits: ({ mode }) => mode.daemons === 1 && mode.delivery === 'exactly-once',
  async inject(session) {
    const copy = session.daemons.find(({ name }) => name === 'daemon-2') ?? (await session.addDaemon())
    await copy.start()
    const hasMet = () => copy.output.includes('reading changes') || copy.surprises.length > 0
    await until(hasMet, 'the copy', startLimitMs).catch(() => undefined)
    const met = hasMet()
    await sleep(togetherMs)
    const heal = async () => {
      await copy.stop('SIGKILL')
    }
    return { bites: () => met, heal }
  },
}

/** The first is frozen, a second takes its place, the first wakes up and goes on where it was. */
export const zombie: Fault = {
  name: 'a frozen daemon is replaced and wakes up',
  recoveryLimitMs: restartLimitMs,
  mayEndWith: 'FENCED',
  fits: session => session.mode.daemons === 1 && savesInKafka(session),
  async inject(session) {
    const [first] = session.daemons
    const copy = session.daemons.find(({ name }) => name === 'daemon-2') ?? (await session.addDaemon())
    first?.freeze()
    await copy.start()
    await session.progress(120_000)
    first?.thaw()
    await sleep(togetherMs)
    const heal = async () => {
      await copy.stop('SIGKILL')
    }
    return { bites: () => true, heal }
  },
}
