import { type Document, MongoClient, MongoNetworkError } from 'mongodb'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { serializeCheckpoint } from '../../src/checkpoint/format.ts'
import { type MongoCheckpointOptions, openMongoCheckpoints } from '../../src/checkpoint/mongo.ts'
import { systemClock } from '../../src/clock.ts'
import { Position } from '../../src/position.ts'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import { startStandalone } from '../../src/services/standalone.ts'
import { options } from '../services/servers.ts'
import { describeStore } from './conformance.ts'
import { sample } from './sample.ts'

const never = new AbortController().signal
const uri = inject('mongodbUri')
const database = `checkpoints_${crypto.randomUUID().slice(0, 8)}`
const client = new MongoClient(uri)
let collections = 0

afterAll(async () => {
  await client.db(database).dropDatabase()
  await client.close()
})

function freshCollection(): string {
  collections += 1
  return `c${collections}`
}

function open(collection: string, more: Partial<MongoCheckpointOptions> = {}) {
  const where = { at: { uri }, database, collection, deployment: 'shop', slots: 1, cluster: 'replicaSet:rs0' }
  return openMongoCheckpoints({ ...where, clock: systemClock, ...more }, never)
}

function documents(collection: string) {
  return client
    .db(database)
    .collection<{ _id: object; epoch: number; writer: string; save: number; text: string }>(collection)
}

/** The shared client, but commands that `loses` picks do not arrive: their connection breaks. */
function unreliable(loses: (command: Document) => boolean): MongoClient {
  const db = (name: string) => ({
    command: async (command: Document) => {
      if (loses(command)) throw new MongoNetworkError('connection closed')
      return client.db(name).command(command)
    },
  })
  return { db } as unknown as MongoClient
}

/** Runs one command on the primary of a set of the test's own. */
async function admin(at: string, command: Document): Promise<void> {
  await using own = new MongoClient(at)
  await own.db('admin').command(command)
}

const ordersId = { deployment: 'shop', kind: 'checkpoint', pipeline: 'orders', slot: 0 }

async function plant(collection: string, bytes: Buffer): Promise<void> {
  const document = { epoch: sample().epoch, writer: 'x', save: 1, text: bytes.toString() }
  await documents(collection).updateOne({ _id: ordersId }, { $set: document }, { upsert: true })
}

describeStore('MongoDB checkpoints', async () => {
  const collection = freshCollection()
  return { open: () => open(collection), plant: bytes => plant(collection, bytes) }
})

describe('a save', () => {
  it('is refused where a later epoch is stored, and where another start has claimed the same one', async () => {
    const collection = freshCollection()
    await using one = await open(collection)
    await using other = await open(collection)
    await one.save(sample({ epoch: 3 }), never)
    await expect(other.save(sample({ epoch: 2 }), never)).rejects.toMatchObject({
      name: 'Fenced',
      code: 'CHECKPOINT_FENCED',
    })
    await expect(other.save(sample({ epoch: 3 }), never)).rejects.toMatchObject({ code: 'CHECKPOINT_FENCED' })
    await one.save(sample({ epoch: 3, savedAtMs: 5 }), never)
    await other.save(sample({ epoch: 4 }), never)
    await expect(one.save(sample({ epoch: 3, savedAtMs: 6 }), never)).rejects.toMatchObject({ name: 'Fenced' })
    expect(await one.load('orders', 0, never)).toEqual(sample({ epoch: 4 }))
  })

  it('of a later epoch is to load first what the earlier one has saved meanwhile', async () => {
    const collection = freshCollection()
    await using one = await open(collection)
    await using other = await open(collection)
    expect(await other.load('orders', 0, never)).toBeUndefined()
    await one.save(sample({ epoch: 1 }), never)
    const early = other.save(sample({ epoch: 2 }), never)
    await expect(early).rejects.toMatchObject({ name: 'Retryable', code: 'CHECKPOINT_UNAVAILABLE' })
    await other.load('orders', 0, never)
    await one.save(sample({ epoch: 1, savedAtMs: 5 }), never)
    await expect(other.save(sample({ epoch: 2 }), never)).rejects.toMatchObject({ name: 'Retryable' })
    expect(await other.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: 5 }))
    await other.save(sample({ epoch: 2 }), never)
    await other.save(sample({ epoch: 3 }), never) // A later attempt of its own.
    await expect(one.save(sample({ epoch: 1, savedAtMs: 6 }), never)).rejects.toMatchObject({ name: 'Fenced' })
  })

  it('has exactly one winner where many starts claim an epoch at once', async () => {
    const collection = freshCollection()
    const stores = await Promise.all(Array.from({ length: 8 }, () => open(collection)))
    const results = await Promise.allSettled(
      stores.map((store, i) => store.save(sample({ epoch: 1, savedAtMs: i }), never)),
    )
    const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i] : []))
    expect(winners).toHaveLength(1)
    expect(await stores[0]!.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: winners[0]! }))
    for (const store of stores) await store[Symbol.asyncDispose]()
  })

  it('that lands late does not take a position back', async () => {
    const collection = freshCollection()
    const lost: Document[] = []
    const losesOne = (command: Document) => {
      const loses = lost.length === 0 && String(command.update?.$set?.text).includes('"savedAtMs":2')
      if (loses) lost.push(command)
      return loses
    }
    await using store = await open(collection, { at: { client: unreliable(losesOne) } })
    await store.save(sample({ epoch: 1, savedAtMs: 1 }), never)
    await store.save(sample({ epoch: 1, savedAtMs: 2 }), never) // Its second try arrives.
    await store.save(sample({ epoch: 1, savedAtMs: 3 }), never)
    await expect(client.db(database).command(lost[0]!)).rejects.toMatchObject({ code: 11_000 })
    expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: 3 }))
  })

  it('after which the document was removed makes it anew', async () => {
    const collection = freshCollection()
    await using store = await open(collection)
    await store.save(sample({ epoch: 1 }), never)
    await documents(collection).deleteOne({ _id: ordersId })
    await store.save(sample({ epoch: 1, savedAtMs: 9 }), never)
    expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: 9 }))
  })
})

describe('the facts', () => {
  it('fix slots and cluster at the first start, for each deployment of a collection', async () => {
    const collection = freshCollection()
    await (await open(collection, { slots: 4 }))[Symbol.asyncDispose]()
    await (await open(collection, { slots: 4 }))[Symbol.asyncDispose]()
    await expect(open(collection, { slots: 8 })).rejects.toMatchObject({
      name: 'Configuration',
      code: 'CHECKPOINT_MISMATCH',
      message: expect.stringContaining('was first started with workers.slots 4, and now it is 8'),
    })
    const otherCluster = open(collection, { slots: 4, cluster: 'replicaSet:other' })
    await expect(otherCluster).rejects.toThrow('on MongoDB replicaSet:rs0, and this one is replicaSet:other')
    const sameCluster = (one: string, other: string) => one === 'replicaSet:rs0' && other === 'replicaSet:rs0/id'
    await (await open(collection, { slots: 4, cluster: 'replicaSet:rs0/id', sameCluster }))[Symbol.asyncDispose]()
    await (await open(collection, { deployment: 'other', cluster: 'other' }))[Symbol.asyncDispose]()
  })

  it('are left alone by one that only looks', async () => {
    const collection = freshCollection()
    await (await open(collection, { cluster: undefined }))[Symbol.asyncDispose]()
    expect(await documents(collection).countDocuments()).toBe(0)
    await (await open(collection, { slots: 4 }))[Symbol.asyncDispose]()
    await expect(open(collection, { cluster: undefined })).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
  })
})

it('keeps deployments apart', async () => {
  const collection = freshCollection()
  await using shop = await open(collection)
  await using other = await open(collection, { deployment: 'other' })
  await shop.save(sample({ epoch: 1 }), never)
  expect(await other.load('orders', 0, never)).toBeUndefined()
  const own = sample({ epoch: 1, deployment: 'other' })
  await other.save(own, never)
  expect(await other.load('orders', 0, never)).toEqual(own)
  await plant(collection, serializeCheckpoint(own))
  await expect(shop.load('orders', 0, never)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' })
})

it('gives all slots of a pipeline the start that was proposed first', async () => {
  const collection = freshCollection()
  const store = await openMongoCheckpoints(
    { at: { client }, database, collection, deployment: 'shop', slots: 8, cluster: 'c', clock: systemClock },
    never,
  )
  const proposed = Array.from({ length: 8 }, (_, i) => Position.ofTime(BigInt(i + 1) << 32n).toJSON())
  const starts = await Promise.all(proposed.map(each => store.fixStart!('orders', each, never)))
  expect(new Set(starts.map(start => start.clusterTime)).size).toBe(1)
  expect(proposed).toContainEqual(starts[0])
  await store[Symbol.asyncDispose]()
  expect((await client.db(database).command({ ping: 1 })).ok).toBe(1) // Its owner's client is still open.
})

describe('where the server is not well', () => {
  it('a save outlasts an election and a command that fails after its effect', async () => {
    await using set = await startReplicaSet({ ...options(), members: 3, setParameters: { enableTestCommands: 1 } })
    const at = { uri: set.uri }
    await using store = await open('election', { at })
    await store.save(sample({ epoch: 1, savedAtMs: 1 }), never)
    await admin(set.uri, { replSetStepDown: 5, secondaryCatchUpPeriodSecs: 5, force: true })
    await store.save(sample({ epoch: 1, savedAtMs: 2 }), never)
    expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: 2 }))
    const failPoint = { configureFailPoint: 'failCommand', mode: { times: 1 } }
    // The write has its effect, and the answer says that the majority may not have it.
    const writeConcernError = { code: 91, errmsg: 'shutting down' }
    await admin(set.uri, { ...failPoint, data: { failCommands: ['findAndModify'], writeConcernError } })
    await store.save(sample({ epoch: 1, savedAtMs: 3 }), never)
    await admin(set.uri, { ...failPoint, data: { failCommands: ['findAndModify'], closeConnection: true } })
    await store.save(sample({ epoch: 1, savedAtMs: 4 }), never)
    expect(await store.load('orders', 0, never)).toEqual(sample({ epoch: 1, savedAtMs: 4 }))
    await using later = await open('election', { at })
    await later.save(sample({ epoch: 2 }), never)
    await expect(store.save(sample({ epoch: 1, savedAtMs: 5 }), never)).rejects.toMatchObject({ name: 'Fenced' })
  })

  it('an absent one is worth another try, a wrong password, right or server is not', async () => {
    const absent = { uri: 'mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200' }
    await expect(open('c', { at: absent })).rejects.toMatchObject({ name: 'Retryable', code: 'CHECKPOINT_UNAVAILABLE' })
    await expect(open('c', { at: { uri: 'mongodb://' } })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await using secured = await startReplicaSet({ ...options(), members: 1, auth: true })
    const wrong = secured.uri.replace('root:root', 'root:wrong')
    await expect(open('c', { at: { uri: wrong } })).rejects.toMatchObject({
      name: 'Configuration',
      code: 'CHECKPOINT_REJECTED',
    })
    await admin(secured.uri, { createUser: 'reader', pwd: 'reader', roles: ['readAnyDatabase'] })
    const reader = secured.uri.replace('root:root', 'reader:reader')
    await expect(open('c', { at: { uri: reader } })).rejects.toMatchObject({ code: 'CHECKPOINT_REJECTED' })
    await using standalone = await startStandalone(options())
    await expect(open('c', { at: { uri: standalone.uri } })).rejects.toMatchObject({ code: 'CHECKPOINT_REJECTED' })
  })

  it('a save without an answer is given up after its limit, and says that it may be tried again', async () => {
    await using set = await startReplicaSet({ ...options(), members: 1 })
    await using store = await open('frozen', { at: { uri: set.uri }, saveLimitMs: 0 })
    await store.save(sample({ epoch: 1 }), never)
    const [member] = set.members
    await member!.kill()
    await expect(store.save(sample({ epoch: 1, savedAtMs: 2 }), never)).rejects.toMatchObject({
      name: 'Retryable',
      code: 'CHECKPOINT_UNAVAILABLE',
    })
  })
})
