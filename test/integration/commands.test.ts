import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { checkpoint } from '../../src/cli/checkpoint.ts'
import { pauseOrResume } from '../../src/cli/pause.ts'
import { status } from '../../src/cli/status.ts'
import { ran } from '../cli/admin-commands.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { readTopics } from './topics.ts'

const never = new AbortController().signal
const env = { M2K_ADMIN__TOKEN: 'swordfish' }

/** What a person does to send the last changes again: pause, move the checkpoint back, resume. */
test('a daemon is looked at, paused, moved back and resumed by commands', { timeout: 600_000 }, async () => {
  const name = `cm${crypto.randomUUID().slice(0, 8)}`
  const topic = `${name}.orders`
  const yaml = `
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
workers: { slots: 2 }
admin: { port: 0, token: swordfish }
pipelines:
  - { name: orders, source: { collections: [${name}.orders] }, partitions: 2 }
  - { name: users, source: { collections: [${name}.users] }, partitions: 2 }
`
  const directory = await mkdtemp(join(tmpdir(), 'm2k-commands-'))
  const file = join(directory, 'config.yaml')
  await writeFile(file, yaml)
  await using client = new MongoClient(inject('mongodbUri'))
  const orders = client.db(name).collection<{ _id: number; v: string }>('orders')
  try {
    await using daemon = await Daemon.start(yaml)
    const url = await daemon.adminUrl()
    await daemon.reaches('orders', 'idle')
    for (let _id = 0; _id < 10; _id += 1) await orders.insertOne({ _id, v: String(_id) })
    // By partition and then by offset: what stands there twice was sent twice.
    const versions = async () => (await readTopics(inject('kafkaBrokers'), [topic])).map(({ change }) => Number(change))
    const arrived = (count: number) => async () => ((await versions()).length >= count ? true : undefined)
    await eventually(arrived(10), 'ten records')

    const seen = await ran(io => status(['--url', url], io, never, env))
    expect(seen).toMatchObject({ code: 0, stderr: '' })
    expect(seen.stdout).toMatch(/^orders +(idle|running) /m)
    expect(seen.stdout).toContain('2 slots, coordination none')

    const at = await laterSecond(client)
    for (let _id = 10; _id < 14; _id += 1) await orders.insertOne({ _id, v: String(_id) })
    await eventually(arrived(14), 'four more')
    const order = (action: 'pause' | 'resume') =>
      ran(io => pauseOrResume(action, ['orders', '--url', url], io, never, env))
    const set = (port: string) =>
      ran(io => {
        const argv = ['set', '-c', file, '--set', `admin.port=${port}`, '--pipeline', 'orders', '--at', at, '--yes']
        return checkpoint(argv, io, never, env)
      })
    const { port } = new URL(url)

    const refused = await set(port)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/pipeline orders is \w+ at http/)])
    // A daemon whose admin server is elsewhere gives itself away by its saves, also while nothing changes.
    const unseen = await set('0')
    expect([unseen.code, unseen.stderr]).toEqual([1, expect.stringContaining('a worker is at pipeline orders, slot ')])
    expect(await order('pause')).toMatchObject({ code: 0, stdout: 'orders: paused\n' })
    expect((await daemon.reaches('orders', 'paused')).error).toBeNull()
    expect((await daemon.readiness()).status).toBe(200)
    expect(await set(port)).toMatchObject({ code: 0, stdout: expect.stringContaining('back: the changes since then') })
    expect(await order('resume')).toMatchObject({ code: 0, stdout: 'orders: running again\n' })
    await eventually(arrived(18), 'the last four again')
    await daemon.reaches('orders', 'idle')
    const all = Array.from({ length: 14 }, (_, _id) => _id)
    expect((await versions()).toSorted((a, b) => a - b)).toEqual([...all, 10, 11, 12, 13].toSorted((a, b) => a - b))
    expect(daemon.output).toContain('"audit":"pause"')
    expect(daemon.output).not.toContain('swordfish')
    expect(await daemon.stop('SIGTERM')).toBe(0)
  } finally {
    await rm(directory, { recursive: true })
  }
})

/** Writes until MongoDB's cluster time is in a second that none of the earlier changes has; gives it in ISO 8601. */
async function laterSecond(client: MongoClient): Promise<string> {
  const now = async () => {
    await client
      .db('cm')
      .collection('clock')
      .updateOne({}, { $inc: { ticks: 1 } }, { upsert: true })
    return Number((await client.db('cm').command({ ping: 1 })).operationTime.t)
  }
  const first = await now()
  const second = await eventually(async () => {
    const at = await now()
    return at > first ? at : undefined
  }, 'the next second')
  return new Date(second * 1_000).toISOString()
}
