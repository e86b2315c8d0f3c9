import type { Daemon } from './daemon.ts'
import { type Fault, missedWork, moment, pick, restartLimitMs, someDaemon } from './fault.ts'
import { killAtSeam, seamsOf } from './faults-at-seams.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const most = 24
/** No kill is begun later: where each costs a session's timeout, there are fewer. */
const lastsMs = 90_000
const daemonLimitMs = 120_000
/** After it has delivered again, at most. */
const livesMs = 500

/**
 * A daemon is killed as soon as it has delivered something new again, by turns at a random moment and at a random seam.
 * It comes first in every session: so that a run has killed daemons hundreds of times.
 */
export const killStorm: Fault = {
  name: 'daemon killed again and again',
  recoveryLimitMs: restartLimitMs,
  kills: true,
  sparesServers: true,
  async inject(session) {
    const endMs = Date.now() + lastsMs
    const earlierRecoveriesMs: number[] = []
    let kills = 0
    let recoversSinceMs = Date.now()
    for (let i = 0; i < most && (i === 0 || Date.now() < endMs); i++) {
      if (i > 0) earlierRecoveriesMs.push(await session.recovered(recoversSinceMs, session.hardStopMs(restartLimitMs)))
      const victim = await (i % 2 === 0 ? killSoon(session) : killAtSeam(session, pick(session, seamsOf(session))))
      recoversSinceMs = Date.now()
      if (victim !== undefined && (await missedWork(session, victim))) kills += 1
    }
    return { bites: () => kills > 0, kills, recoversSinceMs, earlierRecoveriesMs }
  },
}

async function killSoon(session: Session): Promise<Daemon> {
  await moment(session, livesMs)
  await until(() => session.daemons.some(({ running }) => running), 'a daemon', daemonLimitMs)
  const daemon = someDaemon(session)
  await daemon.measure() // What it has counted goes with it.
  await daemon.kill()
  return daemon
}
