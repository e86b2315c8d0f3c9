import { type Collection, type Document, MongoClient, type MongoClientOptions } from 'mongodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { Member, ReplicaSet } from '../../src/services/services.ts'
import { follow, freshDatabase, ids, type Lab, openLab, patience, selection, take } from './lab.ts'

let set: ReplicaSet
beforeAll(async () => {
  const setParameters = { enableTestCommands: 1 }
  set = await startReplicaSet({ env: process.env, members: 3, setParameters, signal: patience() })
})
afterAll(() => set?.[Symbol.asyncDispose]())

let lab: Lab
beforeEach(async () => {
  lab = await openLab(set.uri, { getMoreDeadlineMs: 3_000 })
  return () => lab[Symbol.asyncDispose]()
})

const majority = { writeConcern: { w: 'majority' as const, wtimeoutMS: 60_000 } }

/** The driver's own patience with a silent primary, half a minute, is not what is tested. */
const impatient: MongoClientOptions = {
  serverMonitoringMode: 'poll',
  heartbeatFrequencyMS: 500,
  connectTimeoutMS: 3_000,
  socketTimeoutMS: 5_000,
}

/** Runs `command` on one member, whatever its state. */
async function onMember(member: Member, command: Document): Promise<Document> {
  const client = new MongoClient(`mongodb://${member.host}/?directConnection=true`)
  try {
    return await client.db('admin').command(command)
  } finally {
    await client.close()
  }
}

/** Reads the ids 0 to 199, with `hurt` in the middle of them; every write is tried until it is acknowledged. */
async function readAcross(hurt: (primary: Member) => Promise<void>): Promise<void> {
  await using writer = new MongoClient(set.uri, impatient)
  const db = writer.db(freshDatabase('failover'))
  const c = db.collection<{ _id: number }>('c')
  await upsert(c, -1)
  const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
  const from = await source.now(patience())
  const writing = async () => {
    for (let _id = 0; _id < 200; _id++) {
      if (_id === 100) await hurt(await set.primary())
      await upsert(c, _id)
    }
  }
  const [{ events }] = await Promise.all([take(source, from, 200), writing()])
  expect(ids(events)).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
}

async function upsert(c: Collection<{ _id: number }>, _id: number): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await c.updateOne({ _id }, { $setOnInsert: { there: true } }, { upsert: true, ...majority })
      return
    } catch (error) {
      if (attempt === 30) throw error
    }
  }
}

describe('the stream survives', () => {
  it('the death of the primary', async () => {
    await readAcross(primary => primary.kill())
    for (const member of set.members) await member.start(patience())
  })

  it('a primary that freezes', async () => {
    let frozen: Member | undefined
    await readAcross(async primary => {
      frozen = primary
      primary.freeze()
    }).finally(() => frozen?.thaw())
    await set.primary()
  })

  it('a step-down', async () => {
    await readAcross(async primary => {
      await onMember(primary, { replSetStepDown: 5, secondaryCatchUpPeriodSecs: 5 })
    })
  })

  it('the loss of its cursor', async () => {
    await readAcross(async primary => {
      const idle = [{ $currentOp: { idleCursors: true, allUsers: true } }, { $match: { 'cursor.tailable': true } }]
      const { cursor } = await onMember(primary, { aggregate: 1, pipeline: idle, cursor: {} })
      const client = new MongoClient(`mongodb://${primary.host}/?directConnection=true`)
      for (const { ns, cursor: one } of cursor.firstBatch) {
        if (!one?.cursorId) continue
        const [db, ...rest] = String(ns).split('.')
        await client.db(db).command({ killCursors: rest.join('.'), cursors: [one.cursorId] })
      }
      await client.close()
    })
    expect(lab.meter.counts.get('source_reconnects_total')).toBeGreaterThanOrEqual(1)
  })

  it.each([
    ['a closed connection', { closeConnection: true }],
    ['a getMore that hangs', { blockConnection: true, blockTimeMS: 8_000 }],
    ['a retryable error', { errorCode: 91, errorLabels: ['ResumableChangeStreamError'] }],
    ['an interrupted getMore', { errorCode: 11601 }],
  ])('%s', async (_name, data) => {
    await readAcross(async primary => {
      const mode = { times: 1 }
      const failed = { failCommands: ['getMore'], appName: 'mongo2kafka', ...data }
      await onMember(primary, { configureFailPoint: 'failCommand', mode, data: failed })
    })
    // Once for the fault; an election or a silence that the machine has brought about is not what is tested.
    const reconnects = lab.meter.counts.get('source_reconnects_total')
    expect(reconnects).toBeGreaterThanOrEqual(1)
    expect(reconnects, 'it tries again and again').toBeLessThan(10)
    await onMember(await set.primary(), { configureFailPoint: 'failCommand', mode: 'off' })
  })

  it('nothing, where the fault is for good: the reader says so', async () => {
    const db = lab.client.db(freshDatabase('failover'))
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
    const from = await source.now(patience())
    const data = { failCommands: ['getMore'], errorCode: 286, appName: 'mongo2kafka' }
    await onMember(await set.primary(), { configureFailPoint: 'failCommand', mode: { times: 2 }, data })
    await expect(take(source, from, 1)).rejects.toMatchObject({ name: 'PositionLost', code: 'SOURCE_HISTORY_LOST' })
    await onMember(await set.primary(), { configureFailPoint: 'failCommand', mode: 'off' })
  })
})

/** On every member but `primary`: whether it replicates. A member that does not keeps voting. */
async function replicate(primary: Member, on: boolean): Promise<void> {
  for (const member of set.members) {
    if (member === primary || !member.running) continue
    await onMember(member, { configureFailPoint: 'stopReplProducer', mode: on ? 'off' : 'alwaysOn' })
  }
}

describe('what a majority does not have', () => {
  it('is waited for in silence, on an open stream', async () => {
    await using patient = await openLab(set.uri, { awaitMs: 100 })
    const db = patient.client.db(freshDatabase('majority'))
    const c = db.collection<{ _id: number }>('c')
    await c.insertOne({ _id: -1 }, majority)
    const reader = follow(patient.mongo.source(selection('p', [`${db.databaseName}.c`])), await now(patient))
    await c.insertOne({ _id: 0 }, majority)
    await expect.poll(() => reader.events.length, { timeout: 120_000 }).toBe(1)
    const primary = await set.primary()
    await replicate(primary, false)
    try {
      await c.insertOne({ _id: 1 }, { writeConcern: { w: 1, journal: true } })
      // The stream answers meanwhile, with positions alone.
      const before = reader.batches
      await expect.poll(() => reader.batches, { timeout: 120_000 }).toBeGreaterThan(before + 3)
      expect(ids(reader.events)).toEqual(['0'])
    } finally {
      await replicate(primary, true)
    }
    await expect.poll(() => ids(reader.events), { timeout: 120_000 }).toEqual(['0', '1'])
    expect(patient.meter.counts.get('source_reconnects_total')).toBeUndefined()
    await reader.stop()
  })

  it('never appears when it is rolled back', async () => {
    const db = lab.client.db(freshDatabase('rollback'))
    const c = db.collection<{ _id: number }>('c')
    await c.insertOne({ _id: -1 }, majority)
    const source = lab.mongo.source(selection('p', [`${db.databaseName}.c`]))
    const from = await source.now(patience())
    const reader = follow(source, from)
    await upsert(c, 0)
    const old = await set.primary()
    await replicate(old, false)
    await c.insertOne({ _id: 666 }, { writeConcern: { w: 1, journal: true } })
    await old.kill()
    await replicate(old, true)
    const elected = await set.primary()
    expect(elected.host).not.toBe(old.host)
    for (const _id of [1, 2, 3]) await upsert(c, _id)
    await old.start(patience())
    await expect.poll(() => found(old, db.databaseName, 3), { timeout: 120_000 }).toBe(1)
    expect(await found(old, db.databaseName, 666)).toBe(0)
    await upsert(c, 4)
    await expect.poll(() => reader.events.length, { timeout: 120_000 }).toBeGreaterThanOrEqual(5)
    expect(ids(reader.events)).toEqual(['0', '1', '2', '3', '4'])
    await reader.stop()
  })

  it('comes back with the majority of the members', async () => {
    await readAcross(async primary => {
      const others = set.members.filter(member => member !== primary)
      for (const member of others) await member.kill()
      // Alone, it is no primary for long.
      await expect
        .poll(async () => (await onMember(primary, { hello: 1 })).isWritablePrimary, { timeout: 120_000 })
        .toBe(false)
      for (const member of others) await member.start(patience())
      await set.primary()
    })
  })
})

const now = (one: Lab) => one.mongo.source(selection('now', ['any.thing'])).now(patience())

/** How many documents `_id` this very member has; undefined while it cannot be asked. */
async function found(member: Member, db: string, _id: number): Promise<number | undefined> {
  const client = new MongoClient(`mongodb://${member.host}/?directConnection=true`, { serverSelectionTimeoutMS: 2_000 })
  try {
    return await client.db(db).collection<{ _id: number }>('c').countDocuments({ _id }, { readPreference: 'nearest' })
  } catch {
    return undefined // It recovers.
  } finally {
    await client.close()
  }
}
