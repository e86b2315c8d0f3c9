import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from './daemon.ts'
import type { Fault } from './fault.ts'
import { until } from './until.ts'

const noticeLimitMs = 60_000
const lastsMs = 5_000

const pidsOf = (daemons: readonly Daemon[]) => daemons.flatMap(({ pid }) => pid ?? [])

/** No position can be saved: the pipeline tries again from the last one, and needs no help once there is room. */
export const diskFull: Fault = {
  name: 'the disk of the checkpoints is full',
  recoveryLimitMs: 5_000,
  fits: ({ disk }) => disk !== undefined,
  async inject(session) {
    const kept = session.daemons.filter(daemon => daemon.kept)
    const heard = kept.map(daemon => daemon.listenFor('CHECKPOINT_'))
    await session.disk?.fill(pidsOf(kept))
    const isNoticed = () => heard.some(hasHeard => hasHeard())
    await until(isNoticed, 'a word about the disk', noticeLimitMs).catch(() => undefined)
    const noticed = isNoticed()
    await sleep(lastsMs)
    return { bites: () => noticed, heal: async () => session.disk?.free(pidsOf(kept)) }
  },
}
