import { expect, it } from 'vitest'
import type { KafkaAccess, StoredRecord } from '../../src/checkpoint/kafka-connection.ts'
import { writeOnce } from '../../src/checkpoint/kafka-once.ts'
import type { KafkaWriter } from '../../src/checkpoint/kafka-writer.ts'
import { Position } from '../../src/position.ts'
import { freshTopic, never, openStore } from './kafka-fixture.ts'
import { sample } from './sample.ts'

const at = (seconds: bigint) => Position.ofTime(seconds << 32n).toJSON()

it('fixes one start for all slots of a pipeline, the first that was proposed', async () => {
  const topic = freshTopic()
  await using one = await openStore(topic, { slots: 2 })
  await using other = await openStore(topic, { slots: 2 })
  expect(await one.fixStart?.('orders', at(5n), never)).toEqual(at(5n))
  expect(await other.fixStart?.('orders', at(6n), never)).toEqual(at(5n))
  expect(await other.fixStart?.('users', at(7n), never)).toEqual(at(7n))
  await one.save(sample({ pipeline: 'start' }), never) // Keys of checkpoints and starts are never the same.
  expect(await one.fixStart?.('0', at(8n), never)).toEqual(at(8n))
  expect(await one.load('start', 0, never)).toEqual(sample({ pipeline: 'start' }))
  const many = Array.from({ length: 10 }, (_, i) => [one, other][i % 2]!.fixStart?.('many', at(BigInt(i)), never))
  expect(new Set((await Promise.all(many)).map(position => position?.clusterTime)).size).toBe(1)
})

/** A log in memory; `race` is written by somebody else just before our own first write. */
function memory(race: Buffer | undefined) {
  const log: StoredRecord[] = []
  const append = (key: string, value: Buffer | null) =>
    log.push({ offset: BigInt(log.length), key: Buffer.from(key), value })
  const reader = {
    async *readPartition() {
      yield log.slice()
    },
  }
  const writer = {
    async write([record]: readonly { key: string; bytes: Buffer }[]) {
      if (race !== undefined && log.length === 0) append('k', race)
      append(record!.key, record!.bytes)
      return new Map([[0, log.length - 1]])
    },
  }
  const propose = (text: string) =>
    writeOnce(
      { reader } as unknown as KafkaAccess,
      writer as unknown as KafkaWriter,
      't',
      { key: 'k', bytes: Buffer.from(text) },
      never,
    )
  return { log, append, propose, values: () => log.map(({ value }) => String(value)) }
}

it('gives way to who came first in a race, and leaves their record as the last, which compaction keeps', async () => {
  const { propose, values } = memory(Buffer.from('theirs'))
  expect(String((await propose('ours')).bytes)).toBe('theirs')
  expect(values()).toEqual(['theirs', 'ours', 'theirs'])
  expect(String((await propose('again')).bytes)).toBe('theirs')
  expect(values()).toHaveLength(3)
})

it('writes once, and anew after the record was removed', async () => {
  const { propose, values, append } = memory(undefined)
  expect(await propose('ours')).toEqual({ bytes: Buffer.from('ours'), where: 't-0@0' })
  await propose('again')
  expect(values()).toEqual(['ours'])
  append('k', null)
  expect(String((await propose('later')).bytes)).toBe('later')
})
