import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'
import type { Member } from '../../src/services/services.ts'
import { type FailPoint, failPointFault } from './fail-points.ts'
import type { Fault } from './fault.ts'
import { keyOf } from './ids.ts'
import { command, electionTimeoutMs } from './servers.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const startSignal = () => AbortSignal.timeout(120_000)
/** After the election, which is MongoDB's time. */
const recoveryLimitMs = 3_000
const primaryLimitMs = 120_000
const resignLimitMs = 30_000

async function followers(session: Session): Promise<Member[]> {
  const { mongodb } = session.servers
  const primary = await mongodb.primary()
  return mongodb.members.filter(member => member !== primary)
}

/** It rises with every election; NaN where the member does not say. */
async function termOf(member: Member): Promise<number> {
  return await command(member, { replSetGetStatus: 1 }).then(
    ({ term }) => Number(term),
    () => Number.NaN,
  )
}

async function resignedBy(member: Member): Promise<boolean> {
  return await command(member, { hello: 1 }).then(
    answer => answer.isWritablePrimary === false,
    () => false,
  )
}

/** Waits until another member is primary. */
async function elected(session: Session, old: Member): Promise<void> {
  const { mongodb } = session.servers
  await until(async () => (await mongodb.primary()) !== old, 'another primary', primaryLimitMs)
}

export const primaryKilled: Fault = {
  name: 'primary killed',
  recoveryLimitMs,
  kills: true,
  async inject(session) {
    const primary = await session.servers.mongodb.primary()
    await primary.kill('SIGKILL')
    await elected(session, primary)
    const heal = () => primary.start(startSignal())
    return { bites: () => !primary.running, heal, recoversSinceMs: Date.now() }
  },
}

export const primaryFrozen: Fault = {
  name: 'primary frozen',
  recoveryLimitMs: recoveryLimitMs + 5_000, // Nobody says that it is gone: our own deadline has to pass.
  async inject(session) {
    const primary = await session.servers.mongodb.primary()
    const term = await termOf(primary)
    primary.freeze()
    await elected(session, primary)
    const since = Date.now()
    await sleep(8_000)
    const now = await session.servers.mongodb.primary()
    const replaced = now !== primary && (await termOf(now)) > term
    return { bites: () => replaced, heal: async () => primary.thaw(), recoversSinceMs: since }
  },
}

export const steppedDown: Fault = {
  name: 'primary stepped down twice',
  recoveryLimitMs,
  async inject(session) {
    const term = await termOf(await session.servers.mongodb.primary())
    for (let i = 0; i < 2; i++) {
      const primary = await session.servers.mongodb.primary()
      await command(primary, { replSetStepDown: 10, secondaryCatchUpPeriodSecs: 5 })
      await elected(session, primary)
      if (i === 0) await sleep(5_000)
    }
    const since = Date.now()
    const elections = (await termOf(await session.servers.mongodb.primary())) - term
    return { bites: () => elections >= 2, recoversSinceMs: since }
  },
}

export const noMajority: Fault = {
  name: 'no majority',
  recoveryLimitMs: electionTimeoutMs + 8_000,
  async inject(session) {
    const primary = await session.servers.mongodb.primary()
    const frozen = await followers(session)
    for (const member of frozen) member.freeze()
    await sleep(7_000)
    // It resigns when it has not heard of the others for an election's timeout.
    let resigned = false
    const look = async () => {
      resigned = await resignedBy(primary)
      return resigned
    }
    await until(look, 'a primary that resigns', resignLimitMs).catch(() => undefined)
    const heal = async () => {
      for (const member of frozen) member.thaw()
      await session.servers.mongodb.primary()
    }
    return { bites: () => resigned, heal }
  },
}

/**
 * A write that only the primary has, which then dies: MongoDB takes it back, and it must never be seen (G5). To freeze
 * the others would not do: what the primary sent them waits in their sockets and survives.
 */
export const rolledBack: Fault = {
  name: 'a write rolled back',
  recoveryLimitMs,
  kills: true,
  async inject(session) {
    const primary = await session.servers.mongodb.primary()
    const others = await followers(session)
    const replication = (mode: string) =>
      Promise.all(others.map(member => command(member, { configureFailPoint: 'stopReplProducer', mode })))
    await replication('alwaysOn')
    await sleep(1_500) // Each meets the fail point with the next entry of the oplog, at the latest a second later.
    const id = `phantom${crypto.randomUUID()}`
    const written = await writePhantom(primary, session, id)
    await primary.kill('SIGKILL')
    await replication('off')
    await elected(session, primary)
    const since = Date.now()
    const survived = await session.writer.adopt('orders', id)
    const heal = () => primary.start(startSignal())
    return { bites: () => written && !survived, heal, recoversSinceMs: since }
  },
}

async function writePhantom(primary: Member, session: Session, id: string): Promise<boolean> {
  const limits = { serverSelectionTimeoutMS: 2_000, socketTimeoutMS: 5_000, retryWrites: false }
  await using client = new MongoClient(`mongodb://${primary.host}/?directConnection=true`, limits)
  const phantom = { _id: id as never, v: 1, check: `orders/${keyOf(id)}@1` }
  try {
    const collection = client.db(session.name).collection('orders')
    await collection.insertOne(phantom, { writeConcern: { w: 1, journal: true } })
    return true
  } catch {
    return false
  }
}

/** What the member that the stream reads from may do wrong. */
const failPoints: readonly FailPoint[] = [
  {
    name: 'getMore blocked',
    commands: ['getMore'],
    data: { blockConnection: true, blockTimeMS: 6_000 },
    times: 3,
    limitMs: 15_000,
  },
  {
    name: 'connection closed under getMore',
    commands: ['getMore'],
    data: { closeConnection: true },
    times: 3,
    limitMs: 3_000,
  },
  { name: 'cursor not found', commands: ['getMore'], data: { errorCode: 43 }, times: 3, limitMs: 3_000 },
  { name: 'cursor killed', commands: ['getMore'], data: { errorCode: 237 }, times: 3, limitMs: 3_000 },
  {
    name: 'no node is primary while the stream opens',
    commands: ['getMore', 'aggregate'],
    data: { errorCode: 10107 },
    times: 4,
    limitMs: 3_000,
  },
  {
    name: 'history lost',
    commands: ['getMore', 'aggregate'],
    data: { errorCode: 286, errorLabels: ['NonResumableChangeStreamError'] },
    times: 2,
    limitMs: 10_000,
    mayEndWith: 'SOURCE_HISTORY_LOST',
  },
]

export const mongodbFaults: readonly Fault[] = [
  primaryKilled,
  primaryFrozen,
  steppedDown,
  noMajority,
  rolledBack,
  ...failPoints.map(failPointFault),
]
