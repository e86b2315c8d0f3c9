import { Admin } from '@platformatic/kafka'
import { type Collection, MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import type { Stage } from '../../src/busy.ts'
import type { PipelineStatus } from '../../src/status.ts'
import { eventually } from '../waiting.ts'
import { Daemon } from './daemon.ts'

/** A safety net, and not what is tested. */
const limitMs = 180_000

/** How many bytes a second the broker takes from a client; undefined: as many as it can. */
async function setQuota(clientId: string, bytesPerSecond: number | undefined): Promise<void> {
  const admin = new Admin({ clientId: 'test-quota', bootstrapBrokers: [...inject('kafkaBrokers')] })
  try {
    const key = 'producer_byte_rate' as const
    const op =
      bytesPerSecond === undefined
        ? { key, remove: true as const }
        : { key, value: bytesPerSecond, remove: false as const }
    await admin.alterClientQuotas({
      entries: [{ entities: [{ entityType: 'client-id', entityName: clientId }], ops: [op] }],
    })
  } finally {
    await admin.close()
  }
}

/** The shares of the pipeline as Prometheus reads them. */
async function shares(daemon: Daemon): Promise<Record<string, number>> {
  const text = await daemon.text('/metrics')
  const lines = text.matchAll(/^mongo2kafka_stage_busy_ratio\{pipeline="all",stage="(\w+)"\} (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, stage, ratio]) => [stage, Number(ratio)]))
}

/** A daemon that has begun to read `name`'s collections. */
async function startDaemon(name: string, clientId: string, source: string): Promise<Daemon> {
  return Daemon.start(`
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))}, clientId: ${clientId}, producer: { compression: none } }
admin: { port: 0 }
limits: { inFlightBytes: 256KiB }
pipelines:
  - name: all
    source: { collections: [${name}.*], ${source} }
    partitions: 2
`)
}

async function insert(collection: Collection, documents: number, characters: number): Promise<void> {
  const text = 'x'.repeat(characters)
  for (let left = documents; left > 0; left -= 1_000) {
    await collection.insertMany(Array.from({ length: Math.min(left, 1_000) }, () => ({ text })))
  }
}

/**
 * Waits until `stage`, or nothing, limits the pipeline, as far as `isClear` wants. What else the machine did in the last
 * ten seconds is in these shares too.
 */
function limitedBy(
  daemon: Daemon,
  stage: Stage | undefined,
  isClear: (status: PipelineStatus) => boolean = () => true,
): Promise<true> {
  const found = async () => {
    const status = (await daemon.statuses())[0]
    return status && status.limitedBy?.stage === stage && isClear(status) ? true : undefined
  }
  return rarely(found, daemon, `${stage ?? 'nothing'} as the limit`)
}

/** Once a second: each answer is work for the thread whose idle time is the matter here, the more so on a busy machine. */
function rarely<T>(ask: () => Promise<T | undefined>, daemon: Daemon, what: string): Promise<T> {
  return eventually(ask, () => `${what}\n${daemon.output.slice(-4_000)}`, limitMs, 1_000)
}

async function delivered(daemon: Daemon, records: number): Promise<void> {
  // More where the daemon had to go back to its checkpoint: on a busy machine a transaction's time can be over.
  const all = async () => (((await daemon.statuses())[0]?.records ?? 0) >= records ? true : undefined)
  await rarely(all, daemon, `${records} records`)
}

test('a quota of the broker: the sink limits the throughput, and no longer once the quota is lifted', async () => {
  const name = `th${crypto.randomUUID().slice(0, 8)}`
  const clientId = `quota-${name}`
  await using client = new MongoClient(inject('mongodbUri'))
  const collection = client.db(name).collection('orders')
  await collection.insertOne({})
  await setQuota(clientId, 50_000)
  await using daemon = await startDaemon(name, clientId, 'fullDocument: default')
  await daemon.reaches('all', 'idle')
  await insert(collection, 10_000, 1_000) // A backlog of four minutes at this rate.
  await limitedBy(
    daemon,
    'sink',
    ({ busy, throttledRatio }) => busy.sink > 0.8 && busy.source + busy.encode < 0.2 && throttledRatio > 0.5,
  )
  const isInMetrics = async () => {
    const { source, encode, sink } = await shares(daemon)
    return sink! > 2 * (source! + encode!) ? true : undefined
  }
  await rarely(isInMetrics, daemon, 'the sink as the limit in the metrics')
  const onPage = /the sink, \d+ % of the time \(throttled by the broker \d+ %\)/
  await rarely(async () => (onPage.test(await daemon.text('/')) ? true : undefined), daemon, 'the same on the page')
  await setQuota(clientId, undefined)
  await delivered(daemon, 10_000)
  await limitedBy(daemon, undefined)
}, 600_000)

test('a filter that costs MongoDB much: the source limits the throughput', async () => {
  const name = `fi${crypto.randomUUID().slice(0, 8)}`
  await using client = new MongoClient(inject('mongodbUri'))
  const collection = client.db(name).collection('orders')
  await collection.insertOne({})
  // True for every event, after thousands of multiplications.
  const product = '{ $sum: { $map: { input: { $range: [0, 3000] }, in: { $multiply: ["$$this", 3] } } } }'
  const start = () => startDaemon(name, name, `filter: { $expr: { $gt: [${product}, 0] } }`)
  {
    await using first = await start()
    await first.reaches('all', 'idle')
    expect(await first.stop('SIGTERM'), first.output.slice(-4_000)).toBe(0)
  }
  // Before it reads: a slow insert would be what it waits for. So many that whoever looks later still sees it.
  await insert(collection, 60_000, 100)
  await using daemon = await start()
  await limitedBy(daemon, 'source', ({ busy }) => busy.source > 0.6 && busy.source > busy.encode + busy.sink)
  const onPage = /the source \(MongoDB\), \d+ % of the time/
  await rarely(async () => (onPage.test(await daemon.text('/')) ? true : undefined), daemon, 'the same on the page')
}, 600_000)
