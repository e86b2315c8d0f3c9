import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../../../src/log.ts'
import { silentMeter } from '../../../src/meter.ts'
import { packRecords } from '../../../src/record-headers.ts'
import { type OciRestOptions, openOciRestTarget } from '../../../src/sink/oci-rest/oci-rest-target.ts'
import { clientOf, HurriedClock, never, record, source, storedByKey } from './fixture.ts'
import { OciServer } from './oci-server.ts'

let server: OciServer
let folder: string
let options: OciRestOptions

beforeAll(async () => {
  server = await OciServer.open()
  folder = await mkdtemp(join(tmpdir(), 'm2k-oci-'))
  const [tenancy, user, fingerprint] = server.keyId.split('/')
  const lines = [
    '[DEFAULT]',
    `tenancy=${tenancy}`,
    `user=${user}`,
    `fingerprint=${fingerprint}`,
    'region=eu-frankfurt-1',
  ]
  await writeFile(join(folder, 'config'), [...lines, `key_file=${join(folder, 'key')}`, ''].join('\n'))
  await writeFile(join(folder, 'key'), server.privateKeyPem)
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
beforeEach(() => {
  server.behaviour = {}
  options = {
    auth: { type: 'config-file', configFile: join(folder, 'config') },
    region: undefined,
    endpoint: server.endpoint,
    streamPoolId: server.pool,
    retentionHours: 24,
    requests: 2,
    requestTimeoutMs: 20_000,
    queueLimitBytes: 1 << 20,
    clock: new HurriedClock(),
    log: silentLogger,
    meter: silentMeter,
  }
})

const spec = (partitions?: number) => ({ partitions, replication: undefined, config: {} })
const request = { pipeline: 'p', transactionalId: undefined, transactions: false }

describe('the target', () => {
  test('creates the stream that a pipeline asks for, waits until it is active, and fills it', async () => {
    await using target = await openOciRestTarget(options, never)
    const sink = await target.open(request, never)
    expect(await sink.partitions('made', spec(2), never)).toBe(2)
    await sink.send(packRecords([record('made', 'k', 1)]), never)
    expect(storedByKey(server, 'made')).toEqual(new Map([['k', [1]]]))
    expect(target.capabilities).toEqual({ headers: true, idempotence: false, transactions: false })
    await target[Symbol.asyncDispose]()
    await expect(sink.send(packRecords([record('made', 'k', 2)]), never)).rejects.toThrow('the sink was closed')
  })

  test('two that create the same stream both get it', async () => {
    using one = clientOf(server)
    using other = clientOf(server)
    const both = await Promise.all([one, other].map(({ streams }) => streams.use('twice', spec(3), never)))
    expect(both.map(({ partitions }) => partitions)).toEqual([3, 3])
  })

  test.each([
    ['a pool that is not ours', { streamPoolId: 'ocid1.streampool.oc1..other' }, 'SINK_OCI_UNAUTHORIZED'],
    ['nobody there', { endpoint: 'http://127.0.0.1:1' }, 'SINK_UNREACHABLE'],
    [
      'a configuration file that is missing',
      { auth: { type: 'config-file', configFile: '/nowhere' } },
      'SINK_OCI_AUTH',
    ],
  ] as const)('%s: a clear end', async (_, changed, code) => {
    await expect(openOciRestTarget({ ...options, ...changed }, never)).rejects.toMatchObject({ code })
  })

  test('a stream that is missing and not to be created, a name that is none, transactions', async () => {
    await using target = await openOciRestTarget(options, never)
    const sink = await target.open(request, never)
    await expect(sink.partitions('absent', spec(), never)).rejects.toMatchObject({ code: 'SINK_OCI_STREAM' })
    await expect(sink.partitions('a b', spec(1), never)).rejects.toMatchObject({ code: 'SINK_TOPIC_INVALID' })
    const transactional = target.open({ ...request, transactions: true }, never)
    await expect(transactional).rejects.toMatchObject({ code: 'DELIVERY_UNSUPPORTED' })
  })
})

describe('reading back', () => {
  test('finds every position of one source, across partitions, empty answers and throttling', async () => {
    server.create('tail', 3)
    using client = clientOf(server)
    const foreign = { ...record('tail', 'f', 3), headers: { ...record('tail', 'f', 3).headers, 'm2k.source': 'd/p/1' } }
    const own = Array.from({ length: 40 }, (_, n) => record('tail', `k${n % 9}`, n, n % 7 === 0 ? null : '{"a":1}'))
    await using sink = client.sink()
    await sink.partitions('tail', spec(), never)
    const ends = await client.tails.ends('tail', 3, never)
    await sink.send(packRecords([...own, foreign]), never)
    const hindrances = ['throttled', 'empty', undefined, 'empty', 'throttled', 'empty'] as const
    let reads = 0
    server.behaviour = { read: () => hindrances[reads++] }
    const positions = own.map(({ headers }) => headers['m2k.position']!.toString('latin1'))
    expect(await client.tails.present('tail', ends, source, never)).toEqual(new Set(positions))
    expect(await client.tails.present('tail', [0, 0, 0], 'd/p/1', never)).toHaveProperty('size', 1)
    const later = ends.map(ms => ms + 60_000)
    expect(await client.tails.present('tail', later, source, never)).toEqual(new Set())
  })

  test('a right that is missing is no empty tail', async () => {
    server.create('closed', 1)
    using client = clientOf(server)
    await client.streams.use('closed', spec(), never)
    server.acceptedKeyId = 'another'
    try {
      await expect(client.tails.present('closed', [0], source, never)).rejects.toMatchObject({ code: 'SINK_OCI_AUTH' })
    } finally {
      server.acceptedKeyId = server.keyId
    }
  })
})
