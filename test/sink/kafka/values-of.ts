import { systemClock } from '../../../src/clock.ts'
import { PartitionReader } from '../../../src/sink/kafka/reading/partition-reader.ts'
import type { KafkaSettings } from '../../../src/sink/kafka/settings.ts'
import { never } from './fixture.ts'

/** What stands in partition 0 of the topic, read by who logs in as `settings` say. */
export async function valuesOf(topic: string, settings: KafkaSettings): Promise<string[]> {
  await using reader = new PartitionReader({ settings, clock: systemClock })
  const values: string[] = []
  for await (const records of reader.readPartition(topic, 0, 0n, { isolation: 'read_uncommitted' }, never)) {
    values.push(...records.map(({ value }) => String(value)))
  }
  return values
}
