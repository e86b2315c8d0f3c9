import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { remedies } from '../../src/errors.ts'
import { freePort } from '../../src/services/ports.ts'
import { startReplicaSet } from '../../src/services/replica-set.ts'
import type { ReplicaSet } from '../../src/services/services.ts'
import { startStandalone } from '../../src/services/standalone.ts'
import { options } from '../services/servers.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'
import { countRecords, readTopics } from './topics.ts'

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

interface Place {
  readonly name: string
  readonly uri?: string
  readonly brokers?: readonly string[]
  readonly checkpoint?: string
  /** For who is not there; who is may take its time. */
  readonly wait?: string
}

const freshName = () => `er${crypto.randomUUID().slice(0, 8)}`

/** A configuration with one pipeline over the database of its name. */
function config(place: Place): string {
  const { name, uri = inject('mongodbUri'), brokers = inject('kafkaBrokers'), checkpoint, wait = '2m' } = place
  return `
name: ${name}
mongodb: { uri: "${uri}" }
sink: { brokers: ${JSON.stringify(brokers)} }
checkpoint: ${checkpoint ?? '{}'}
startup: { wait: ${wait} }
admin: { port: 0 }
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    partitions: 1
`
}

/** Runs a daemon that cannot run to its end. */
async function fails(yaml: string): Promise<{ code: number | null; stderr: string; output: string }> {
  await using daemon = await Daemon.start(yaml)
  const code = await daemon.exit()
  return { code, stderr: daemon.stderr, output: daemon.output }
}

describe('MongoDB or Kafka cannot be used', () => {
  test('a standalone server: exit 1 and how to make it a replica set', async () => {
    await using standalone = await startStandalone(options())
    const { code, stderr } = await fails(config({ name: freshName(), uri: standalone.uri }))
    expect(stderr).toContain('SOURCE_STANDALONE')
    expect(stderr).toContain(remedies.SOURCE_STANDALONE)
    expect(code).toBe(1)
  })

  test('an unknown host: exit 1 once startup.wait is over', async () => {
    const { code, stderr } = await fails(
      config({ name: freshName(), uri: 'mongodb://unknown.invalid:27017/', wait: '1s' }),
    )
    expect(stderr).toContain('SOURCE_UNREACHABLE')
    expect(stderr).toContain('unknown.invalid')
    expect(stderr).toContain(remedies.SOURCE_UNREACHABLE)
    expect(code).toBe(1)
  })

  test('no Kafka: exit 1 once startup.wait is over', async () => {
    const brokers = [`127.0.0.1:${await freePort()}`]
    const { code, stderr } = await fails(config({ name: freshName(), brokers, wait: '1s' }))
    expect(stderr).toContain('SINK_UNREACHABLE')
    expect(stderr).toContain(brokers[0])
    expect(stderr).toContain(remedies.SINK_UNREACHABLE)
    expect(code).toBe(1)
  })
})

describe('access control', () => {
  let set: ReplicaSet
  beforeAll(async () => {
    set = await startReplicaSet({ ...options(), members: 1, auth: true })
    await using client = new MongoClient(set.uri)
    const roles = [{ role: 'read', db: 'elsewhere' }]
    await client.db('admin').command({ createUser: 'reader', pwd: 'correct-horse', roles })
  })
  afterAll(() => set?.[Symbol.asyncDispose]())

  const uriFor = (credentials: string) => set.uri.replace('root:root@', `${credentials}@`)

  test('a wrong password: exit 1 at once, and it is shown nowhere (G9)', async () => {
    const uri = uriFor('reader:battery-staple')
    const { code, stderr, output } = await fails(config({ name: freshName(), uri }))
    expect(stderr).toContain('SOURCE_AUTH_FAILED')
    expect(stderr).toContain(remedies.SOURCE_AUTH_FAILED)
    expect(output).not.toContain('waiting for it')
    expect(output).not.toContain('battery-staple')
    expect(code).toBe(1)
  })

  test('a user without changeStream on the database: exit 1 and what to grant', async () => {
    const uri = uriFor('reader:correct-horse')
    const { code, stderr, output } = await fails(config({ name: freshName(), uri }))
    expect(stderr).toContain('SOURCE_UNAUTHORIZED')
    expect(stderr).toContain(remedies.SOURCE_UNAUTHORIZED)
    expect(output).not.toContain('correct-horse')
    expect(code).toBe(1)
  })
})

describe('what the user typed', () => {
  test('a bad file: exit 78, every error with its place', async () => {
    const yaml = config({ name: freshName() }).replace('partitions: 1', 'partitons: 1').replace('wait: 2m', 'wait: 1')
    const { code, stderr } = await fails(yaml)
    const lineOf = (text: string) => 1 + yaml.split('\n').findIndex(line => line.includes(text))
    expect(stderr).toMatch(new RegExp(`config\\.yaml:${lineOf('wait')}:18 startup\\.wait: `))
    expect(stderr).toMatch(new RegExp(`config\\.yaml:${lineOf('partitons')}:5 .*did you mean .*partitions`))
    expect(stderr.trim().split('\n')).toHaveLength(2)
    expect(code).toBe(78)
  })

  test.each([
    ['no command', []],
    ['an unknown command', ['frobnicate']],
    ['no file', ['run']],
    ['an unknown option', ['run', '-c', 'x.yaml', '--nope']],
  ])('%s: exit 64 and the usage', (_name, args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
    expect(stderr).toMatch(/usage: mongo2kafka/i)
    expect(stdout).toBe('')
    expect(status).toBe(64)
  })
})

describe('one of two pipelines fails', () => {
  const collections = ['good', 'plain'] as const
  const twoPipelines = (name: string, mode: string) =>
    config({ name }).split('  - name: all')[0] +
    collections
      .map(collection => {
        const source = `{ collections: [${name}.${collection}], fullDocument: ${collection === 'plain' ? mode : 'auto'} }`
        return `  - { name: ${collection}, partitions: 1, source: ${source} }\n`
      })
      .join('')

  test('the other goes on; the failed one keeps its position through restarts (G1, G8)', async () => {
    const name = freshName()
    const brokers = inject('kafkaBrokers')
    await using client = new MongoClient(inject('mongodbUri'))
    const [good, plain] = collections.map(each => client.db(name).collection<{ _id: number; v: string }>(each))
    const arrived = (collection: string, count: number) => {
      const topics = [`${name}.${collection}`]
      // Offsets count the ends of transactions too: what counts is what a consumer sees.
      const there = async () =>
        (await countRecords(brokers, topics)) >= count && (await readTopics(brokers, topics)).length >= count
      return eventually(async () => ((await there()) ? true : undefined), `${count} records of ${collection}`)
    }
    {
      await using daemon = await Daemon.start(twoPipelines(name, 'required'))
      for (const pipeline of collections) await daemon.reaches(pipeline, 'running', 'idle')
      await plain?.insertOne({ _id: 1, v: 'v1' })
      await plain?.updateOne({ _id: 1 }, { $set: { v: 'v2' } })
      const { error } = await daemon.reaches('plain', 'failed')
      expect(error?.code).toBe('SOURCE_IMAGE_MISSING')
      expect(error?.remedy).toBe(remedies.SOURCE_IMAGE_MISSING)
      await good?.insertOne({ _id: 1, v: 'v3' })
      await arrived('good', 1)
      expect((await daemon.reaches('good', 'running', 'idle')).error).toBeNull()
      expect(await daemon.readiness()).toMatchObject({
        status: 503,
        body: { ready: false, reasons: [{ pipeline: 'plain', state: 'failed', code: 'SOURCE_IMAGE_MISSING' }] },
      })
      expect(await daemon.stop('SIGTERM'), daemon.output).toBe(1)
      expect(daemon.stderr).toContain('pipeline plain: SOURCE_IMAGE_MISSING')
    }
    {
      // Nothing was mended: it stops at the same change, instead of passing over it.
      await using daemon = await Daemon.start(twoPipelines(name, 'required'))
      await daemon.reaches('plain', 'failed')
      expect(await daemon.stop('SIGTERM'), daemon.output).toBe(1)
    }
    await using daemon = await Daemon.start(twoPipelines(name, 'whenAvailable'))
    await plain?.updateOne({ _id: 1 }, { $set: { v: 'v4' } })
    await arrived('plain', 3)
    for (const pipeline of collections) await daemon.reaches(pipeline, 'running', 'idle')
    expect((await daemon.readiness()).status).toBe(200)
    expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
    const seen = await readTopics(brokers, [`${name}.plain`])
    expect(seen.map(({ change }) => change)).toEqual(['v1', 'v2', 'v4'])
  })
})

describe('checkpoints in files, records on stdout', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'm2k-test-'))
  })
  afterAll(() => rm(directory, { recursive: true, force: true }))

  test('records are JSON lines, and a checkpoint that is corrupt is left alone: exit 1', async () => {
    const name = freshName()
    const path = join(directory, name)
    const checkpoint = `{ store: file, path: ${path}, interval: 100ms }`
    const yaml = config({ name, checkpoint }).replace(/sink: .*/, 'sink: { type: stdout }')
    await using client = new MongoClient(inject('mongodbUri'))
    {
      await using daemon = await Daemon.start(yaml)
      await daemon.reaches('all', 'idle')
      await client.db(name).collection<{ _id: number }>('c').insertOne({ _id: 1 })
      await eventually(() => (daemon.stdout.endsWith('\n') ? true : undefined), 'a record on stdout')
      expect(await daemon.stop('SIGTERM'), daemon.output).toBe(0)
      const records = daemon.stdout.split('\n').filter(Boolean).map(parseRecord)
      expect(records).toEqual([{ topic: `${name}.c`, partition: 0, key: '1', document: { _id: 1 } }])
    }
    const [file = ''] = await readdir(path)
    const bytes = await readFile(join(path, file))
    bytes[bytes.length - 20]! ^= 1
    await writeFile(join(path, file), bytes)
    const { code, stderr } = await fails(yaml)
    expect(stderr).toContain('CHECKPOINT_CORRUPT')
    expect(stderr).toContain(join(path, file))
    expect(stderr).toContain(remedies.CHECKPOINT_CORRUPT)
    expect(code).toBe(1)
    expect(await readFile(join(path, file))).toEqual(bytes)
    expect(await readdir(path)).toEqual([file])
  })
})

function parseRecord(line: string): unknown {
  const { topic, partition, key, value } = JSON.parse(line) as Record<'topic' | 'partition' | 'key' | 'value', string>
  return { topic, partition, key, document: (JSON.parse(value) as { fullDocument: unknown }).fullDocument }
}
