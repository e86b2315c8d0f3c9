import { readFile, truncate, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Daemon } from './daemon.ts'
import { type Fault, restartLimitMs } from './fault.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const noticeLimitMs = 60_000
const lastsMs = 5_000
const fits = ({ disk }: Session) => disk !== undefined

const pidsOf = (daemons: readonly Daemon[]) => daemons.flatMap(({ pid }) => pid ?? [])

/** No position can be saved: the pipeline tries again from the last one, and needs no help once there is room. */
export const diskFull: Fault = {
  name: 'the disk of the checkpoints is full',
  recoveryLimitMs: 5_000,
  fits,
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

/** As after a power cut with a file system that promises little. The pipeline says so, and never begins anew. */
export const tornFile: Fault = {
  name: 'a torn checkpoint file',
  recoveryLimitMs: restartLimitMs,
  mayEndWith: 'CHECKPOINT_CORRUPT',
  fits,
  async inject(session) {
    const kept = session.daemons.filter(daemon => daemon.kept)
    await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
    const files = await session.checkpointFiles()
    const whole = await Promise.all(files.map(file => readFile(file)))
    await Promise.all(files.map((file, i) => truncate(file, whole[i]!.length >> 1)))
    const heard = kept.map(daemon => daemon.listenFor('CHECKPOINT_CORRUPT'))
    await Promise.all(kept.map(daemon => daemon.start()))
    const isNoticed = () => heard.some(hasHeard => hasHeard())
    await until(isNoticed, 'CHECKPOINT_CORRUPT', noticeLimitMs).catch(() => undefined)
    const noticed = isNoticed()
    const heal = async () => {
      await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
      await Promise.all(files.map((file, i) => writeFile(file, whole[i]!)))
      await Promise.all(kept.map(daemon => daemon.start()))
    }
    return { bites: () => noticed, heal }
  },
}

export const fileFaults: readonly Fault[] = [diskFull, tornFile]
