import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { MongoClient, MongoServerError, type Timestamp } from 'mongodb'
import type { Member } from '../../src/services/services.ts'
import type { Daemon } from './daemon.ts'
import { type Fault, restartLimitMs, underWay } from './fault.ts'
import { command } from './servers.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const lost = 'SOURCE_HISTORY_LOST'
const noticeLimitMs = 120_000
const settleLimitMs = 120_000
const setLimitMs = 120_000
/** Of one insert into the collection that fills the oplog up. */
const fillers = 16
const filler = 'x'.repeat(1 << 20)
/** NotPrimaryOrSecondary and InterruptedDueToReplStateChange. */
const notNow: ReadonlySet<number> = new Set([13436, 11602])

interface Absence {
  readonly name: string
  readonly leave: (daemon: Daemon) => Promise<unknown>
  readonly comeBack: (daemon: Daemon) => Promise<unknown>
}

const absences: readonly Absence[] = [
  {
    name: 'the oplog overwritten while down',
    leave: daemon => daemon.stop('SIGKILL'),
    comeBack: daemon => daemon.start(),
  },
  {
    name: 'the oplog overwritten in mid-stream',
    leave: async daemon => daemon.freeze(),
    comeBack: async daemon => daemon.thaw(),
  },
]

/**
 * MongoDB no longer has what follows the checkpoint. The pipeline says so and the process ends, again and again; it
 * never begins anywhere else by itself. Nothing of its own is written meanwhile, so that the operator's remedy, to set
 * the checkpoint to the present, loses nothing either: the judge sees whether that is so.
 */
export const historyFaults: readonly Fault[] = absences.map(({ name, leave, comeBack }) => ({
  name,
  recoveryLimitMs: restartLimitMs,
  mayEndWith: lost,
  async inject(session) {
    const kept = session.daemons.filter(daemon => daemon.kept)
    await session.writer.hold()
    await until(() => underWay(session) <= 0, 'what was written before', settleLimitMs)
    await Promise.all(kept.map(leave))
    await overwrite(session)
    const ended = kept.map(({ surprises }) => surprises.length)
    await Promise.all(kept.map(comeBack))
    const isNoticed = () =>
      kept.some(({ surprises }, i) => surprises.slice(ended[i]).some(({ output }) => output.includes(lost)))
    await until(isNoticed, lost, noticeLimitMs).catch(() => undefined)
    const noticed = isNoticed()
    const heal = async () => {
      await Promise.all(kept.map(daemon => daemon.stop('SIGKILL')))
      await setToPresent(kept[0]!)
      session.writer.start()
      await Promise.all(kept.map(daemon => daemon.start()))
    }
    return { bites: () => noticed, heal }
  },
}))

/** Writes elsewhere until no member has an entry of the oplog that is older than this call. */
async function overwrite(session: Session): Promise<void> {
  const { mongodb } = session.servers
  // Of the fault before, one may still take writes back; its oplog cannot be read then.
  await until(
    async () => (await Promise.all(mongodb.members.map(replicates))).every(Boolean),
    'all members',
    settleLimitMs,
  )
  await using client = new MongoClient(mongodb.uri)
  const name = `${session.name}-filler`
  const { operationTime } = await client.db('admin').command({ ping: 1 })
  const isOver = async () => {
    const oldest = await Promise.all(mongodb.members.map(oldestEntry))
    return oldest.every(time => time?.gt(operationTime))
  }
  while (!(await isOver())) {
    const documents = Array.from({ length: fillers }, () => ({ filler }))
    await client
      .db(name)
      .collection('c')
      .insertMany(documents, { writeConcern: { w: 'majority' } })
    // What a member needs to recover from its last checkpoint stays.
    for (const member of mongodb.members) await command(member, { fsync: 1 })
  }
  await client.db(name).dropDatabase()
}

/** Whether the member is primary or secondary, and in neither rollback, recovery nor its start. */
async function replicates(member: Member): Promise<boolean> {
  const answer = await command(member, { hello: 1 }).catch(() => undefined)
  return answer?.isWritablePrimary === true || answer?.secondary === true
}

/** undefined where the member cannot say it now: one that was frozen as primary takes writes back some time after. */
async function oldestEntry({ host }: Member): Promise<Timestamp | undefined> {
  await using client = new MongoClient(`mongodb://${host}/?directConnection=true`)
  const oplog = client.db('local').collection<{ ts: Timestamp }>('oplog.rs')
  try {
    const entry = await oplog.findOne({}, { projection: { ts: 1 }, sort: { $natural: 1 } })
    if (entry === null) throw new Error(`${host} has no oplog`)
    return entry.ts
  } catch (error) {
    if (error instanceof MongoServerError && notNow.has(Number(error.code))) return undefined
    throw error
  }
}

/** As the remedy of the error says. */
async function setToPresent(daemon: Daemon): Promise<void> {
  const args = ['checkpoint', 'set', '--at', 'now', '--yes', '-c', daemon.file]
  await promisify(execFile)(process.execPath, [daemon.main, ...args], { timeout: setLimitMs })
}
