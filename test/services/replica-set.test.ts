import { existsSync } from 'node:fs'
import { MongoClient, MongoServerError } from 'mongodb'
import { describe, expect, it } from 'vitest'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import { startStandalone } from '../../src/services/standalone.ts'
import { isAlive, options } from './servers.ts'

describe('a replica set of one', () => {
  it('keeps acknowledged writes through kill -9 and starts again on its data and port', async () => {
    await using set = await startReplicaSet({ ...options(), members: 1 })
    const member = set.members[0]!
    await using client = new MongoClient(set.uri)
    await client.db('shop').collection<{ _id: number }>('orders').insertOne({ _id: 1 })
    const firstPid = member.pid!

    await member.kill()
    expect(member.running).toBe(false)
    expect(isAlive(firstPid)).toBe(false)

    await member.start(AbortSignal.timeout(60_000))
    expect(await set.primary()).toBe(member)
    expect(await client.db('shop').collection('orders').countDocuments()).toBe(1)
  })

  it('answers again after a freeze', async () => {
    await using set = await startReplicaSet({ ...options(), members: 1, setParameters: { enableTestCommands: 1 } })
    const member = set.members[0]!
    await using client = new MongoClient(set.uri)
    await client.connect()
    member.freeze()
    const ping = client.db('admin').command({ ping: 1 })
    expect(member.running).toBe(true)
    member.thaw()
    expect(await ping).toMatchObject({ ok: 1 })
    // Fail points are there where test commands are on.
    await client.db('admin').command({ configureFailPoint: 'failCommand', mode: 'off', data: {} })
  })

  it('leaves no process and no file behind', async () => {
    const set = await startReplicaSet({ ...options(), members: 1 })
    const pid = set.members[0]!.pid!
    await using client = new MongoClient(set.uri)
    const parsed = await client.db('admin').command({ getCmdLineOpts: 1 })
    const dbPath: string = parsed.parsed.storage.dbPath
    expect(existsSync(dbPath)).toBe(true)
    await set[Symbol.asyncDispose]()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(dbPath)).toBe(false)
  })

  it('is ended where starting is aborted', async () => {
    const starting = startReplicaSet({ ...options(), members: 1, signal: AbortSignal.abort(new Error('enough')) })
    await expect(starting).rejects.toThrow('enough')
  })

  it('shows the end of the log where mongod does not start', async () => {
    const starting = startReplicaSet({ ...options(), members: 1, setParameters: { noSuchParameter: 1 } })
    await expect(starting).rejects.toMatchObject({
      code: 'SERVICE_FAILED',
      message: expect.stringContaining('noSuchParameter'),
    })
  })
})

describe('a replica set of three', () => {
  it('elects another primary when the primary is killed, and takes it back', async () => {
    await using set = await startReplicaSet({ ...options(), members: 3 })
    const first = await set.primary()
    await first.kill()
    const second = await set.primary()
    expect(second.host).not.toBe(first.host)
    await first.start(AbortSignal.timeout(60_000))
    expect(set.members.every(member => member.running)).toBe(true)
  })
})

describe('access control', () => {
  it('admits the root user of the uri, and neither a wrong password nor nobody', async () => {
    await using set = await startReplicaSet({ ...options(), members: 1, auth: true })
    await using root = new MongoClient(set.uri)
    await root.db('shop').collection('orders').insertOne({})

    await using wrong = new MongoClient(set.uri.replace('root:root@', 'root:wrong@'))
    await expect(wrong.db('shop').collection('orders').findOne()).rejects.toMatchObject({ code: 18 })

    await using nobody = new MongoClient(set.uri.replace('root:root@', ''))
    await expect(nobody.db('shop').collection('orders').findOne()).rejects.toMatchObject({ code: 13 })
  })
})

describe('a standalone server', () => {
  it('is none that change streams accept', async () => {
    await using standalone = await startStandalone(options())
    await using client = new MongoClient(standalone.uri)
    const stream = client.watch()
    const failure = await stream.next().catch((error: unknown) => error)
    await stream.close()
    expect(failure).toBeInstanceOf(MongoServerError)
    expect((failure as MongoServerError).code).toBe(40573)
  })
})
