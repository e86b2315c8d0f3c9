import { systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/log.ts'
import { silentMeter } from '../../../src/meter.ts'
import type { OutRecord } from '../../../src/record.ts'
import { PartitionReader } from '../../../src/sink/kafka/reading/partition-reader.ts'
import type { ClientChoice, KafkaSettings, ProducerSettings } from '../../../src/sink/kafka/settings.ts'
import { defaultProducerSettings } from '../../../src/sink/kafka/settings.ts'
import { createKafkaTarget, type KafkaTarget } from '../../../src/sink/kafka/target.ts'
import type { SinkRequest, TopicSpec } from '../../../src/sink/sink.ts'
import { readToEnd } from './read-to-end.ts'

export const never = new AbortController().signal

let topics = 0
/** A topic name that no other test of this run uses. */
export function freshTopic(prefix: string): string {
  topics += 1
  return `${prefix}-${process.pid}-${topics}`
}

export function settingsFor(brokers: readonly string[]): KafkaSettings {
  return { brokers, clientId: 'mongo2kafka-test' }
}

export function targetFor(
  brokers: readonly string[],
  producer: Partial<ProducerSettings> = {},
  client: ClientChoice = 'auto',
): KafkaTarget {
  return targetWith(settingsFor(brokers), producer, client)
}

export function targetWith(
  settings: KafkaSettings,
  producer: Partial<ProducerSettings> = {},
  client: ClientChoice = 'auto',
): KafkaTarget {
  return createKafkaTarget({
    settings,
    client,
    producer: { ...defaultProducerSettings, ...producer },
    clock: systemClock,
    log: silentLogger,
    meter: silentMeter,
  })
}

/** A sink that nobody can fence. */
export function plain(pipeline: string): SinkRequest {
  return { pipeline, transactionalId: undefined, transactions: false }
}

/** A sink that fences every earlier one of that id. */
export function fencing(id: string): SinkRequest {
  return { pipeline: 'p', transactionalId: id, transactions: false }
}

export function transactional(id: string): SinkRequest & { readonly transactions: true } {
  return { pipeline: 'p', transactionalId: id, transactions: true }
}

export function spec(partitions: number, config: Record<string, string> = {}): TopicSpec {
  return { partitions, replication: 1, config }
}

export function record(topic: string, partition: number, value: string | null, key = 'k'): OutRecord {
  return {
    topic,
    partition,
    key: Buffer.from(key),
    value: value === null ? null : Buffer.from(value),
    headers: {},
    timestampMs: 1_700_000_000_000,
  }
}

export interface ReadRecord {
  readonly partition: number
  readonly key: string
  readonly value: string | null
  readonly headers: Readonly<Record<string, Buffer>>
  readonly timestamp: string
}

/** Everything in `topic` up to its present end, in the order of each partition. */
export async function readTopic(brokers: readonly string[], topic: string): Promise<ReadRecord[]> {
  const records: ReadRecord[] = []
  await readToEnd(brokers, [topic], (_, partition, { key, value, headers, timestamp }) => {
    const text = { key: String(key), value: value?.toString() ?? null }
    records.push({ partition, ...text, headers: headers as Record<string, Buffer>, timestamp })
  })
  return records
}

/** The values that a reader of committed transactions sees in `partitions` partitions, one after the other. */
export async function committed(
  brokers: readonly string[],
  topic: string,
  partitions = 1,
  first = 0,
): Promise<string[]> {
  await using reader = new PartitionReader({ settings: settingsFor(brokers), clock: systemClock })
  const values: string[] = []
  for (let partition = first; partition < first + partitions; partition += 1) {
    for await (const records of reader.readPartition(topic, partition, 0n, { isolation: 'read_committed' }, never)) {
      values.push(...records.map(({ value }) => String(value)))
    }
  }
  return values
}
