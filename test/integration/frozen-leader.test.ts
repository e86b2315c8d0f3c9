import { Kafka, logLevel } from 'kafkajs'
import { expect, it } from 'vitest'
import type { Checkpoint, CheckpointStore } from '../../src/checkpoint/checkpoint.ts'
import { parseCheckpoint } from '../../src/checkpoint/format.ts'
import { KafkaSlot } from '../../src/checkpoint/kafka-slot.ts'
import { systemClock } from '../../src/clock.ts'
import { Retryable } from '../../src/errors.ts'
import { startBrokers } from '../../src/services/broker.ts'
import { PartitionReader } from '../../src/sink/kafka/reading/partition-reader.ts'
import { accessTo, never, openStore } from '../checkpoint/kafka-fixture.ts'
import { sample } from '../checkpoint/sample.ts'
import { options, soonBack } from '../services/servers.ts'

const topic = 'checkpoints'
const patient = { leaderWaitMs: 120_000, transactionWaitMs: 120_000 }

function readerAt(brokers: readonly string[]): PartitionReader {
  return new PartitionReader({ settings: { brokers, clientId: 'test' }, clock: systemClock, limits: patient })
}

/** The node that leads the topic's only partition, of a cluster in which all are well. */
async function leaderOf(brokers: readonly string[]): Promise<number> {
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries: 30 } }).admin()
  await admin.connect()
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  await admin.disconnect()
  return topics[0]!.partitions[0]!.leader
}

async function isSaved(store: CheckpointStore, checkpoint: Checkpoint): Promise<boolean> {
  try {
    await store.save(checkpoint, never)
    return true
  } catch (error) {
    if (error instanceof Retryable) return false
    throw error
  }
}

it('loads what the successor has from a leader that wakes up and may not know it', { timeout: 600_000 }, async () => {
  await using cluster = await startBrokers({ ...options(), properties: soonBack })
  await using first = await openStore(topic, { ...accessTo(cluster.brokers), replication: 3 })
  await first.save(sample({ epoch: 1 }), never)
  const leader = await leaderOf(cluster.brokers)
  const frozen = cluster.nodes.find(({ id }) => id === leader)!
  const others = cluster.nodes.filter(node => node !== frozen).map(({ address }) => address)
  await using second = await openStore(topic, accessTo(others))
  // It knows only the one that led, has asked it already, and takes it for the leader.
  await using reader = readerAt([frozen.address])
  const slot = new KafkaSlot({ reader, topic, partition: 0, loadsUpTo: 'mark', disposed: never })
  expect(parseCheckpoint((await slot.load('orders/0', never))!.bytes, 'before').epoch).toBe(1)

  frozen.freeze()
  await using successor = readerAt(others)
  await successor.mark(topic, 0, 'elected', never) // Acknowledged: there is another leader.
  while (!(await isSaved(second, sample({ epoch: 2 })))) {
    // Given up, where the machine is slow: once more.
  }
  const loading = slot.load('orders/0', never)
  loading.catch(() => undefined) // It is awaited below.
  frozen.thaw()
  expect(parseCheckpoint((await loading)!.bytes, 'after').epoch).toBe(2)
})
