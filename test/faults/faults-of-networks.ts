import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, missedWork, pick, restartLimitMs, someDaemon } from './fault.ts'
import type { LinkState } from './link.ts'

interface Trouble {
  readonly name: string
  readonly state: LinkState
  readonly limitMs: number
}

const lastsMs = 7_000

const troubles: readonly Trouble[] = [
  { name: '200 ms of latency', state: { kind: 'latency', ms: 200 }, limitMs: 10_000 },
  { name: '16 kB/s', state: { kind: 'slow', bytesPerSecond: 16_000 }, limitMs: 40_000 },
  { name: 'half-open connections', state: { kind: 'half-open' }, limitMs: 20_000 },
  { name: 'all packets lost for a while', state: { kind: 'held' }, limitMs: 10_000 },
  { name: 'connections cut and refused', state: { kind: 'cut' }, limitMs: 10_000 },
]

/** Each trouble, on the links of all daemons to one side. */
export const networkFaults: readonly Fault[] = (['mongodb', 'kafka'] as const).flatMap(side =>
  troubles.map(
    ({ name, state, limitMs }): Fault => ({
      name: `${side}: ${name}`,
      recoveryLimitMs: limitMs,
      async inject(session) {
        const links = session.linksTo(side)
        const hurtBefore = links.reduce((sum, { hurt }) => sum + hurt, 0)
        for (const link of links) link.state = state
        await sleep(lastsMs)
        const heal = async () => {
          for (const link of links) link.state = { kind: 'open' }
        }
        return { bites: () => links.reduce((sum, { hurt }) => sum + hurt, 0) > hurtBefore, heal }
      },
    }),
  ),
)

/** So long that something is sent to the broker, and so short that its silence is not acted on yet. */
const outOfReachMs = 1_200

/**
 * What one broker was sent is gone for good, what others were sent is there: a position that is saved before its records
 * are acknowledged shows here.
 */
export const killedOutOfReach: Fault = {
  name: 'daemon killed while a broker is out of its reach',
  recoveryLimitMs: restartLimitMs,
  kills: true,
  async inject(session) {
    const daemon = someDaemon(session)
    const link = pick(
      session,
      daemon.links.filter(({ protocol }) => protocol === 'kafka'),
    )
    const hurtBefore = link.hurt
    link.state = { kind: 'half-open' }
    await sleep(outOfReachMs)
    const isHurt = link.hurt > hurtBefore
    await daemon.kill()
    link.state = { kind: 'open' }
    const recoversSinceMs = Date.now()
    const missed = await missedWork(session, daemon)
    return { bites: () => isHurt && missed, recoversSinceMs }
  },
}
