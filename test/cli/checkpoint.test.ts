import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { openFileCheckpoints } from '../../src/checkpoint/file.ts'
import { checkpoint as command } from '../../src/cli/checkpoint.ts'
import { commonOf } from '../../src/cli/checkpoint-access.ts'
import { type SetOptions, setCheckpoints } from '../../src/cli/checkpoint-set.ts'
import { loadConfigFile } from '../../src/config/file.ts'
import { status } from '../admin/statuses.ts'
import { sample } from '../checkpoint/sample.ts'
import { eventually } from '../waiting.ts'
import { daemonWith, ran } from './admin-commands.ts'

const never = new AbortController().signal
let base = ''

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'm2k-checkpoint-'))
})
afterAll(async () => {
  await rm(base, { recursive: true })
})

interface Place {
  readonly file: string
  readonly directory: string
}

/** A configuration of its own with pipelines `orders` and `users`. */
async function place(more: { checkpoint?: string; slots?: number; port?: number; uri?: string } = {}): Promise<Place> {
  const name = `cp${crypto.randomUUID().slice(0, 8)}`
  const directory = join(base, name)
  const yaml = `
name: ${name}
mongodb: { uri: "${more.uri ?? inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))} }
checkpoint: ${more.checkpoint ?? `{ store: file, path: ${directory} }`}
workers: { slots: ${more.slots ?? 1} }
admin: { port: ${more.port ?? 0} }
pipelines:
  - { name: orders, source: { collections: [${name}.orders] } }
  - { name: users, source: { collections: [${name}.users] } }
`
  const file = join(base, `${name}.yaml`)
  await writeFile(file, yaml)
  return { file, directory }
}

function run(...argv: string[]) {
  return ran(io => command(argv, io, never, {}))
}

/** `checkpoint set` that watches for `watchMs` only. */
function set({ file }: Place, options: Partial<SetOptions>) {
  const config = loadConfigFile(file, { env: {}, overrides: [] })
  const defaults = { pipeline: undefined, at: 'now', yes: true, json: true, watchMs: 10 } as const
  return ran(io => setCheckpoints(commonOf(config, io), { ...defaults, ...options }, never))
}

/** Writes until MongoDB's cluster time is in a later second than that of `ms`; gives that second, milliseconds. */
async function laterThan(ms: number): Promise<number> {
  await using client = new MongoClient(inject('mongodbUri'))
  return await eventually(async () => {
    await client
      .db('cp')
      .collection('clock')
      .updateOne({}, { $inc: { ticks: 1 } }, { upsert: true })
    const { operationTime } = await client.db('cp').command({ ping: 1 })
    return operationTime.t * 1_000 > ms ? operationTime.t * 1_000 : undefined
  }, 'the next second')
}

async function shown({ file }: Place) {
  const { code, stdout, stderr } = await run('show', '-c', file, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout).checkpoints
}

describe.each([
  ['file', 1, undefined],
  ['kafka', 2, '{ store: kafka }'],
  ['mongodb', 2, `{ store: mongodb, uri: "${'URI'}", collection: "${'COLLECTION'}" }`],
])('store %s', (_name, slots, template) => {
  test('shows where pipelines continue, plans, and moves all slots', async () => {
    const unique = crypto.randomUUID().slice(0, 8)
    const store = template?.replace('URI', inject('mongodbUri')).replace('COLLECTION', `cp${unique}`)
    const there = await place({ slots, ...(store && { checkpoint: store }) })
    expect((await run('show', '-c', there.file)).stdout).toContain('none yet')

    const plan = await set(there, { yes: false, json: false })
    expect([plan.code, plan.stderr]).toEqual([0, expect.stringContaining('Nothing was changed.')])
    expect(plan.stdout.match(/starts there/g)).toHaveLength(2 * slots)
    expect((await shown(there)).every((row: { position: unknown }) => row.position === null)).toBe(true)

    expect(await set(there, {})).toMatchObject({ code: 0, stderr: expect.stringContaining('Done: they start at') })
    const first = await shown(there)
    expect(first).toHaveLength(2 * slots)
    expect(first[0]).toMatchObject({ pipeline: 'orders', slot: 0, generation: 0, epoch: 1, position: { kind: 'time' } })
    expect(first[0].headroomMs).toBeGreaterThanOrEqual(0)

    const at = await laterThan(Date.parse(first[0].position.time))
    expect((await set(there, { at, pipeline: 'users' })).code).toBe(0)
    const second = await shown(there)
    expect(second.slice(0, slots)).toEqual(
      first
        .slice(0, slots)
        .map((row: object) =>
          expect.objectContaining({ ...row, ageMs: expect.any(Number), headroomMs: expect.any(Number) }),
        ),
    )
    for (const row of second.slice(slots)) {
      expect(row).toMatchObject({
        generation: 1,
        epoch: 2,
        position: { clusterTime: String(BigInt(at / 1_000) << 32n) },
      })
    }
  })
})

describe('set is refused', () => {
  test('while the daemon at the admin address has the pipeline at work, not while it rests', async () => {
    let state: 'running' | 'paused' = 'running'
    await using daemon = await daemonWith({ statuses: () => [status('orders', state)] })
    const there = await place({ port: daemon.address.port })
    const refused = await set(there, {})
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('pipeline orders is running at http://'),
    ])
    expect(refused.stderr).toContain('Nothing was changed.')
    expect((await set(there, { pipeline: 'users' })).code).toBe(0)
    state = 'paused'
    expect((await set(there, {})).code).toBe(0)
  })

  test('while somebody saves', async () => {
    const there = await place()
    const config = loadConfigFile(there.file, { env: {}, overrides: [] })
    const { clock, ...common } = commonOf(config, { stdout: process.stdout, stderr: process.stderr })
    const watchMs = 123_456
    const savesMeanwhile = {
      ...clock,
      sleep: async (ms: number, signal?: AbortSignal) => {
        if (ms !== watchMs) return clock.sleep(ms, signal)
        await using store = await openFileCheckpoints({ directory: there.directory, deployment: config.name })
        await store.save(sample({ deployment: config.name, pipeline: 'users' }), never)
      },
    }
    const refused = await ran(io =>
      setCheckpoints(
        { ...common, io, clock: savesMeanwhile },
        { pipeline: undefined, at: 'now', yes: true, json: true, watchMs },
        never,
      ),
    )
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('a worker is at pipeline users, slot 0'),
    ])
    expect((await shown(there))[0].position).toBeNull()
  })

  test('for a time that MongoDB has not reached or no longer has, and for checkpoints of another MongoDB', async () => {
    const there = await place()
    const future = await run('set', '-c', there.file, '--at', '2999-01-01T00:00:00Z', '--yes')
    expect([future.code, future.stderr]).toEqual([1, expect.stringContaining('is in the future: for MongoDB it is')])
    const past = await run('set', '-c', there.file, '--at', '2001-01-01', '--yes')
    expect([past.code, past.stderr]).toEqual([1, expect.stringContaining('its oplog begins at')])
    const config = loadConfigFile(there.file, { env: {}, overrides: [] })
    await using store = await openFileCheckpoints({ directory: there.directory, deployment: config.name })
    await store.save(sample({ deployment: config.name, cluster: 'replicaSet:other/1' }), never)
    expect((await set(there, {})).stderr).toContain('SOURCE_OTHER_CLUSTER')
  })
})

test('show works without MongoDB, and says that the headroom is not known', async () => {
  const there = await place({ uri: 'mongodb://127.0.0.1:1/?replicaSet=rs0' })
  const { code, stdout, stderr } = await run('show', '-c', there.file, '--pipeline', 'users')
  expect([code, stderr]).toEqual([0, expect.stringContaining('the headroom is not known')])
  expect(stdout).toMatch(/^PIPELINE .*\nusers +0 +none yet\n$/)
})

test('a damaged checkpoint is exit 1 with the remedy, not taken for absent', async () => {
  const there = await place()
  expect((await set(there, {})).code).toBe(0)
  await writeFile(join(there.directory, 'orders.0.checkpoint'), 'torn')
  const { code, stderr } = await run('show', '-c', there.file)
  expect([code, stderr]).toEqual([1, expect.stringContaining('CHECKPOINT_CORRUPT')])
})

test.each([
  [[]],
  [['look', '-c', 'x']],
  [['show']],
  [['set', '-c', 'x']],
  [['set', '-c', 'x', '--at', 'yesterday']],
  [['show', '-c', 'x', '--yes']],
])('bad usage %j: exit 64 with the usage', async argv => {
  const { code, stdout, stderr } = await run(...argv)
  expect([code, stdout]).toEqual([64, ''])
  expect(stderr).toContain('Usage: mongo2kafka checkpoint show')
})

test('a pipeline that is not there is bad usage, a file that is not there bad configuration, --help is neither', async () => {
  const { file } = await place()
  expect((await run('show', '-c', file, '--pipeline', 'x')).code).toBe(64)
  expect((await run('show', '-c', `${file}.gone`)).code).toBe(78)
  expect((await run('--help')).code).toBe(0)
})
