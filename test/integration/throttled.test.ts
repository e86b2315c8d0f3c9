import { Admin } from '@platformatic/kafka'
import { MongoClient } from 'mongodb'
import { expect, inject, test } from 'vitest'
import { Daemon, eventually } from './daemon.ts'

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
  const text = await (await fetch(`${await daemon.adminUrl()}/metrics`)).text()
  const lines = text.matchAll(/^mongo2kafka_stage_busy_ratio\{pipeline="all",stage="(\w+)"\} (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, stage, ratio]) => [stage, Number(ratio)]))
}

test('a quota of the broker: the sink limits the throughput, and no longer once the quota is lifted', async () => {
  const name = `th${crypto.randomUUID().slice(0, 8)}`
  const clientId = `quota-${name}`
  await using client = new MongoClient(inject('mongodbUri'))
  const collection = client.db(name).collection('orders')
  await collection.insertOne({})
  await setQuota(clientId, 100_000)
  await using daemon = await Daemon.start(`
name: ${name}
mongodb: { uri: "${inject('mongodbUri')}" }
sink: { brokers: ${JSON.stringify(inject('kafkaBrokers'))}, clientId: ${clientId}, producer: { compression: none } }
admin: { port: 0 }
limits: { inFlightBytes: 256KiB }
pipelines:
  - name: all
    source: { collections: [${name}.*] }
    partitions: 2
`)
  await daemon.reaches('all', 'idle')
  const status = async () => (await daemon.statuses())[0]!

  // A backlog of a hundred seconds at this rate.
  const text = 'x'.repeat(1_000)
  for (let batch = 0; batch < 10; batch += 1) {
    await collection.insertMany(Array.from({ length: 1_000 }, () => ({ text })))
  }
  const limited = await eventually(async () => {
    const now = await status()
    return now.limitedBy?.stage === 'sink' && now.limitedBy.ratio > 0.9 ? now : undefined
  }, 'the sink as the limit')
  expect(limited.busy.source + limited.busy.encode).toBeLessThan(0.1)
  const { source, encode, sink } = await shares(daemon)
  expect(sink).toBeGreaterThan(5 * (source! + encode!))
  expect(await (await fetch(await daemon.adminUrl())).text()).toMatch(/the sink, \d+ % of the time/)

  await setQuota(clientId, undefined)
  const all = async () => ((await status()).records === 10_000 ? true : undefined)
  await eventually(all, 'all changes')
  await eventually(async () => ((await status()).limitedBy === null ? true : undefined), 'nothing as the limit')
}, 180_000)
