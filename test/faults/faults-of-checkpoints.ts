import { parseCheckpoint, serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { type Fault, restartLimitMs } from './fault.ts'
import type { Session } from './session.ts'
import { ofLaterEpoch } from './stored-checkpoints.ts'
import { until } from './until.ts'

const noticeLimitMs = 120_000
/** An hour, in units of cluster time. */
const ahead = 3_600n << 32n

interface Damage {
  readonly name: string
  readonly endsWith: string
  readonly change: (stored: Buffer) => Buffer
  readonly fits?: (session: Session) => boolean
}

const damages: readonly Damage[] = [
  {
    name: 'a backup restored: the checkpoint is later than MongoDB',
    endsWith: 'SOURCE_FROM_FUTURE',
    change: stored => {
      const checkpoint = parseCheckpoint(stored, 'the last record')
      const clusterTime = String(BigInt(checkpoint.position.clusterTime) + ahead)
      return serializeCheckpoint({ ...checkpoint, position: { kind: 'time', token: null, clusterTime } })
    },
  },
  {
    name: 'a corrupt checkpoint',
    endsWith: 'CHECKPOINT_CORRUPT',
    change: stored => stored.with(stored.length >> 1, 0) as Buffer,
  },
  {
    // As after a power cut with a file system that promises little.
    name: 'a torn checkpoint file',
    endsWith: 'CHECKPOINT_CORRUPT',
    change: stored => stored.subarray(0, stored.length >> 1),
    fits: ({ disk }) => disk !== undefined,
  },
]

/**
 * The pipeline says what is wrong and stops, and never begins anew; with the checkpoint put back it goes on as if nothing
 * had been.
 */
export const checkpointFaults: readonly Fault[] = damages.map(({ name, endsWith, change, fits = () => true }) => ({
  name,
  recoveryLimitMs: restartLimitMs,
  mayEndWith: endsWith,
  fits,
  async inject(session) {
    const kept = session.daemons.filter(daemon => daemon.kept) // A copy that an earlier fault left stays away.
    await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
    const stored = await session.checkpoints()
    for (const { value, write } of stored) await write(Buffer.from(change(value)))
    const heard = kept.map(daemon => daemon.listenFor(endsWith))
    await Promise.all(kept.map(daemon => daemon.start()))
    const isNoticed = () => heard.some(hasHeard => hasHeard())
    await until(isNoticed, endsWith, noticeLimitMs).catch(() => undefined)
    const noticed = isNoticed()
    const heal = async () => {
      await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
      for (const { value, write } of stored) await write(ofLaterEpoch(value))
      await Promise.all(kept.map(daemon => daemon.start()))
    }
    return { bites: () => noticed, heal }
  },
}))
