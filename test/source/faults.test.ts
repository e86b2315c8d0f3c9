import { connect, createServer } from 'node:net'
import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { Position } from '../../src/position.ts'
import { freePort } from '../../src/services/ports.ts'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import { startStandalone } from '../../src/services/standalone.ts'
import { openMongo } from '../../src/source/mongo.ts'
import { freshDatabase, openLab, patience, selection, take } from './lab.ts'

const open = (uri: string) => openMongo({ uri, clock: systemClock, log: silentLogger, meter: silentMeter }, patience())

describe('what is wrong is named', () => {
  it('a standalone server, with the commands that make it a replica set', async () => {
    await using server = await startStandalone({ env: process.env, signal: patience() })
    await expect(open(server.uri)).rejects.toMatchObject({
      name: 'Configuration',
      code: 'SOURCE_STANDALONE',
      remedy: expect.stringContaining('rs.initiate()'),
    })
  })

  it('wrong credentials and missing rights', async () => {
    const signal = patience()
    await using set = await startReplicaSet({ env: process.env, members: 1, auth: true, signal })
    await expect(open(set.uri.replace('root:root', 'root:wrong'))).rejects.toMatchObject({
      name: 'Configuration',
      code: 'SOURCE_AUTH_FAILED',
    })
    await using lab = await openLab(set.uri)
    expect(lab.mongo.identity).toMatch(/^replicaSet:rs0\/[0-9a-f]{24}$/)
    await lab.client.db('admin').command({ createUser: 'reader', pwd: 'r', roles: [{ role: 'read', db: 'mine' }] })
    await using limited = await openLab(set.uri.replace('root:root', 'reader:r'))
    expect(await limited.mongo.window(signal)).toBeUndefined()
    const foreign = limited.mongo.source(selection('foreign', ['other.c']))
    const own = limited.mongo.source(selection('own', ['mine.c']))
    const from = await own.now(signal)
    // The shared stream is refused for both; on its own stream the one with the right goes on.
    const refused = expect(take(foreign, from, 1)).rejects.toMatchObject({ code: 'SOURCE_UNAUTHORIZED' })
    const reading = take(own, from, 1)
    await lab.client.db('mine').collection('c').insertOne({ a: 1 })
    await refused
    expect((await reading).events).toHaveLength(1)
  })

  it('nobody there, and a name that does not resolve: worth another try', async () => {
    const nobody = { name: 'Retryable', code: 'SOURCE_UNREACHABLE' }
    await expect(open(`mongodb://127.0.0.1:${await freePort()}/`)).rejects.toMatchObject(nobody)
  })

  it('a connection string that is none', async () => {
    await expect(open('mongodb//x')).rejects.toMatchObject({ name: 'Configuration', code: 'CONFIG_INVALID' })
  })

  it('a view', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const db = freshDatabase('faults')
    await lab.client.db(db).collection('c').insertOne({ a: 1 })
    await lab.client.db(db).createCollection('v', { viewOn: 'c', pipeline: [] })
    const source = lab.mongo.source(selection('p', [`${db}.v`]))
    const reading = take(source, await source.now(patience()), 1)
    await expect(reading).rejects.toMatchObject({ name: 'Configuration', code: 'SOURCE_REJECTED' })
  })

  it('a position later than MongoDB itself', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const source = lab.mongo.source(selection('p', [`${freshDatabase('faults')}.c`]))
    const now = await source.now(patience())
    const future = Position.ofTime(now.clusterTime + (3600n << 32n))
    await expect(take(source, future, 1)).rejects.toMatchObject({ name: 'PositionLost', code: 'SOURCE_FROM_FUTURE' })
  })

  it('a position that the oplog no longer holds', async () => {
    const signal = patience()
    await using set = await startReplicaSet({
      env: process.env,
      members: 1,
      oplogSizeMb: 1,
      checkpointIntervalS: 1,
      signal,
    })
    await using lab = await openLab(set.uri)
    const source = lab.mongo.source(selection('p', ['lost.c']))
    const from = await source.now(signal)
    const c = lab.client.db('lost').collection('c')
    await c.insertOne({ first: true })
    const stored = (await take(source, from, 1)).position
    // MongoDB truncates the oplog in the background, some megabytes at a time, up to its last checkpoint.
    const text = 'x'.repeat(100_000)
    for (;;) {
      await c.insertMany(Array.from({ length: 50 }, () => ({ text })))
      const oldest = await lab.client
        .db('local')
        .collection('oplog.rs')
        .findOne({}, { sort: { $natural: 1 } })
      if (oldest?.ts.toBigInt() > stored.clusterTime) break
    }
    for (const position of [stored, Position.ofTime(stored.clusterTime)]) {
      await expect(take(source, position, 1)).rejects.toMatchObject({
        name: 'PositionLost',
        code: 'SOURCE_HISTORY_LOST',
      })
    }
  })

  it('an oplog window that can be seen', async () => {
    await using lab = await openLab(inject('mongodbUri'))
    const window = await lab.mongo.window(patience())
    expect(window?.member).toMatch(/:\d+$/)
    expect(window?.newestMs).toBeGreaterThanOrEqual(window?.oldestMs ?? Number.POSITIVE_INFINITY)
  })
})

describe('a cut network', () => {
  it('is survived', async () => {
    const target = Number(/:(\d+)/.exec(inject('mongodbUri').replace('mongodb://', ''))?.[1])
    const sockets = new Set<import('node:net').Socket>()
    const proxy = createServer(client => {
      const server = connect(target, '127.0.0.1')
      for (const [a, b] of [
        [client, server],
        [server, client],
      ] as const) {
        sockets.add(a)
        a.pipe(b)
        a.on('error', () => b.destroy())
        a.on('close', () => b.destroy())
      }
    })
    const port = await freePort()
    await new Promise<void>(resolve => proxy.listen(port, '127.0.0.1', resolve))
    try {
      await using direct = await openLab(inject('mongodbUri'))
      await using lab = await openLab(`mongodb://127.0.0.1:${port}/?directConnection=true`)
      const db = freshDatabase('cut')
      const source = lab.mongo.source(selection('p', [`${db}.c`]))
      const from = await source.now(patience())
      const reading = take(source, from, 40)
      for (let i = 0; i < 40; i++) {
        await direct.client.db(db).collection<{ _id: number }>('c').insertOne({ _id: i })
        if (i % 10 === 5) for (const socket of sockets) socket.destroy()
      }
      const { events } = await reading
      expect(events.map(event => event.id?.bytes.readInt32LE(event.id.start))).toEqual(
        Array.from({ length: 40 }, (_, i) => i),
      )
    } finally {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    }
  })
})
