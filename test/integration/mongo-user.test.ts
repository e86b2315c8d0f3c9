import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { ReplicaSet } from '../../src/services/services.ts'
import { options } from '../services/servers.ts'
import { Daemon } from './daemon.ts'
import { Setting } from './setting.ts'

let set: ReplicaSet
beforeAll(async () => {
  set = await startReplicaSet({ ...options(), members: 1, auth: true })
})
afterAll(() => set?.[Symbol.asyncDispose]())

/** A user who may do what the daemon needs. */
async function make(user: string): Promise<void> {
  await using client = new MongoClient(set.uri)
  const roles = ['readAnyDatabase', 'clusterMonitor']
  await client.db('admin').command({ createUser: user, pwd: `${user}-word`, roles })
}

test('a second user of MongoDB and a restart: nothing is lost, nothing comes twice (docs/login.md)', {
  timeout: 600_000,
}, async () => {
  await using setting = await Setting.create({ uri: set.uri, documents: 50, collections: ['c'], partitions: 2 })
  const [namespace = ''] = setting.namespaces
  const configOf = (user: string) =>
    setting.config.replace(set.uri, set.uri.replace('root:root@', `${user}:${user}-word@`))
  await make('first')
  {
    await using before = await Daemon.start(configOf('first'))
    await before.reaches('all', 'idle', 'running')
    const stopped = async () => {
      await setting.more(namespace, 500)
      expect(await before.stop('SIGTERM'), before.output).toBe(0)
    }
    await setting.writer.writeWhile(namespace, stopped, 100)
  }
  await make('second')
  {
    await using client = new MongoClient(set.uri)
    await client.db('admin').command({ dropUser: 'first' })
  }
  await setting.writer.write(namespace, 500)
  await using after = await Daemon.start(configOf('second'))
  await setting.arrived(after)
  expect(await setting.judge(false)).toEqual({ violations: [], duplicates: 0 })
})
