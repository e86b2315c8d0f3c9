import { Kafka, logLevel } from 'kafkajs'
import { expect, inject, it } from 'vitest'
import { openKafkaCheckpoints } from '../../src/checkpoint/kafka.ts'
import { systemClock } from '../../src/clock.ts'
import { startBroker } from '../../src/services/broker.ts'
import { PartitionReader } from '../../src/sink/kafka/reading/partition-reader.ts'
import type { TransactionalSink } from '../../src/sink/sink.ts'
import { options } from '../services/servers.ts'
import { freshTopic, targetFor } from '../sink/kafka/fixture.ts'
import { KafkaProxy } from '../sink/kafka/proxy/proxy.ts'
import { topicsKeeper } from '../sink/kafka/proxy/topics-door.ts'
import { accessTo, messagesOf, never } from './kafka-fixture.ts'
import { sample } from './sample.ts'

const topic = 'compacted'
const segmentBytes = 1 << 20
const rounds = 10
const savesARound = 2_000
const commits = 200

/** Segments are smaller than ours and the cleaner looks more often, so that minutes of a busy topic pass in seconds. */
it('stays small, so that a load after very many commits reads little', { timeout: 300_000 }, async () => {
  const properties = { 'log.cleaner.backoff.ms': 100, 'log.cleaner.delete.retention.ms': 100 }
  await using broker = await startBroker({ ...options(), properties })
  const access = accessTo(broker.brokers)
  const client = new Kafka({ brokers: [...broker.brokers], logLevel: logLevel.NOTHING })
  await using store = await openKafkaCheckpoints({ ...access, deployment: 'shop', topic, replication: 1 }, never)
  const [admin, producer] = [client.admin(), client.producer()]
  await Promise.all([admin.connect(), producer.connect()])
  const configEntries = [
    { name: 'cleanup.policy', value: 'compact' },
    { name: 'segment.bytes', value: String(segmentBytes) },
    { name: 'min.cleanable.dirty.ratio', value: '0.01' },
    { name: 'delete.retention.ms', value: '100' },
  ]
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries }] })

  let epoch = 0
  const next = () => sample({ epoch: ++epoch, pipeline: `p${epoch % 3}` })
  for (let round = 0; round < rounds; round += 1) {
    const messages = Array.from({ length: savesARound }, () => messagesOf(store.toRecords(next())).messages[0]!)
    await producer.send({ topic, messages })
  }
  await using target = targetFor(broker.brokers)
  await target.check(never)
  const request = { pipeline: 'p', transactionalId: 'shop.p.0', transactions: true }
  await using sink = (await target.open(request, never)) as TransactionalSink
  for (let commit = 0; commit < commits; commit += 1) await sink.commit(store.toRecords(next()), never)

  const [offsets] = await admin.fetchTopicOffsets(topic)
  await Promise.all([admin.disconnect(), producer.disconnect()])
  expect(Number(offsets?.high)).toBeGreaterThan(rounds * savesARound + commits)
  const limitBytes = 2 * segmentBytes // What is still written to, and what is left of all others.
  for (let left = 600; ; left -= 1) {
    await using reader = new PartitionReader({
      settings: { brokers: broker.brokers, clientId: 'test' },
      clock: systemClock,
    })
    let records = 0
    for await (const batch of reader.readPartition(topic, 0, 0n, { isolation: 'read_committed' }, never)) {
      records += batch.length
    }
    expect(records).toBeGreaterThan(0)
    if (reader.fetchedBytes < limitBytes) break
    if (left === 0) throw new Error(`a load reads ${reader.fetchedBytes} bytes, ${records} records`)
    await systemClock.sleep(250)
  }
  for (const pipeline of ['p0', 'p1', 'p2']) {
    expect((await store.load(pipeline, 0, never))?.epoch).toBeGreaterThan(epoch - 3)
  }
})

it.each([
  ['an invalid setting', 40],
  ['its policy', 44],
])('names the way out where the target does not allow its settings: %s', async (_, errorCode) => {
  const errorOf = (config: ReadonlyMap<string, string | null>) => (config.has('segment.bytes') ? errorCode : undefined)
  await using proxy = await KafkaProxy.open({
    brokers: inject('kafkaBrokers'),
    keeper: () => topicsKeeper({ errorOf }),
  })
  const deployment = freshTopic('strict')
  const opening = openKafkaCheckpoints({ ...accessTo(proxy.brokers), deployment, replication: 1 }, never)
  await expect(opening).rejects.toMatchObject({
    name: 'Configuration',
    code: 'CHECKPOINT_TOPIC',
    message: expect.stringMatching(/segment\.bytes=16777216.*: set checkpoint\.store: mongodb/),
  })
})
