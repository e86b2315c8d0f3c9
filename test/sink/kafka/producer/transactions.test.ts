import { describe, expect, inject, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { PartitionReader } from '../../../../src/sink/kafka/reading/partition-reader.ts'
import type { SinkRequest } from '../../../../src/sink/sink.ts'
import { freshTopic, never, plain, record, settingsFor, spec, targetFor } from '../fixture.ts'

const brokers = inject('kafkaBrokers')
const nothing = packRecords([])

function transactional(id: string): SinkRequest & { readonly transactions: true } {
  return { pipeline: 'p', transactionalId: id, transactions: true }
}

function recordsOf(topic: string, values: readonly string[], partition = 0) {
  return packRecords(values.map(value => record(topic, partition, value)))
}

/** What a reader of committed transactions sees, partition by partition. */
async function committed(topic: string, partitions = 1): Promise<string[]> {
  await using reader = new PartitionReader({ settings: settingsFor(brokers), clock: systemClock })
  const values: string[] = []
  for (let partition = 0; partition < partitions; partition += 1) {
    for await (const records of reader.readPartition(topic, partition, 0n, { isolation: 'read_committed' }, never)) {
      values.push(...records.map(({ value }) => String(value)))
    }
  }
  return values
}

describe('a transactional sink', () => {
  it('shows what was sent once it is committed, with what came with the commit', async () => {
    await using target = targetFor(brokers)
    await target.check(never)
    expect(target.capabilities).toEqual({ headers: true, idempotence: true, transactions: true })
    const [data, positions] = [freshTopic('data'), freshTopic('positions')]
    await using sink = await target.open(transactional(data), never)
    for (const topic of [data, positions]) await sink.partitions(topic, spec(2), never)
    for (let n = 0; n < 5; n += 1) {
      const sent = sink.send(recordsOf(data, [`a${n}`, `b${n}`], n % 2), never)
      await sink.commit(recordsOf(positions, [`${n}`]), never)
      await sent
    }
    await sink.commit(nothing, never)
    await using bystander = await target.open(plain('q'), never)
    await bystander.send(recordsOf(data, ['plain']), never)
    expect(await committed(positions, 2)).toEqual(['0', '1', '2', '3', '4'])
    expect(await committed(data, 2)).toEqual(['a0', 'b0', 'a2', 'b2', 'a4', 'b4', 'plain', 'a1', 'b1', 'a3', 'b3'])
  })
})
