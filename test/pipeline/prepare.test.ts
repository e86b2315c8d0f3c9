import { describe, expect, test } from 'vitest'
import type { Doing } from '../../src/busy.ts'
import { createEncoder } from '../../src/encode/encoder.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import { Configuration, PoisonEvent } from '../../src/errors.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { type Meter, silentMeter } from '../../src/meter.ts'
import { deadLetterTopicOf, topicOf } from '../../src/pipeline/places.ts'
import { createPrepare } from '../../src/pipeline/prepare.ts'
import { Position } from '../../src/position.ts'
import { eventOf, optionsOf } from '../encode/events.ts'

const insert = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { _id: 7 } })
const update = eventOf({ operation: 'update', documentKey: { _id: 7 }, after: { _id: 7 } })
const position = Position.ofTime(9n)
const signal = new AbortController().signal

function setting({ before, now = 4 }: { before?: number; now?: number } = {}) {
  const counted: string[] = []
  const meter: Meter = {
    ...silentMeter,
    count: (name, labels, by = 1) => counted.push(`${name} ${labels.operation ?? ''} ${by}`),
  }
  const done: Doing[] = []
  const used: string[] = []
  const asked: string[] = []
  const prepare = createPrepare({
    pipeline: 'orders',
    encoder: createEncoder(optionsOf(), silentMeter, new RecordBlocks()),
    sink: {
      partitions: async topic => {
        asked.push(topic)
        return now
      },
    },
    counts: {
      partitions: () => before,
      usePartitions: async (topic, count) => {
        used.push(`${topic} ${count}`)
      },
    },
    topic: '{db}.{collection}',
    spec: { partitions: undefined, replication: undefined, config: {} },
    meter,
    watch: { doing: doing => done.push(doing) },
  })
  const run = (...events: ChangeEvent[]) => prepare({ events, position, bytes: 1_234 }, signal)
  return { run, counted, done, used, asked }
}

describe('prepare', () => {
  test('gives each record its topic and partition, and the batch its size, times and position', async () => {
    const { run, asked } = setting()
    const later = { ...insert, timestampMs: insert.timestampMs + 1 }
    const batch = await run(insert, update, later)
    expect(batch).toMatchObject({ recordCount: 3, position, oldestMs: insert.timestampMs })
    expect(batch.records.topics.slice(0, 3)).toEqual(['shop.orders', 'shop.orders', 'shop.orders'])
    expect(new Set(batch.records.partitions.slice(0, 3)).size).toBe(1)
    expect(batch.times).toEqual([
      { timestampMs: insert.timestampMs, count: 2 },
      { timestampMs: later.timestampMs, count: 1 },
    ])
    expect(asked).toEqual(['shop.orders'])
  })

  test('counts once a batch: events by operation, and the bytes that MongoDB sent', async () => {
    const { run, counted } = setting()
    await run(insert, update, insert)
    expect(counted).toEqual(['events_total insert 2', 'events_total update 1', 'bytes_total  1234'])
  })

  test('waits for the sink only where a topic is new, and says so', async () => {
    const { run, done } = setting()
    await run(insert)
    await run(insert)
    expect(done).toEqual(['sink', 'encode'])
  })

  test('prepares all new topics of a batch together, each once, and places every record', async () => {
    const { run, asked, done } = setting()
    const names = Array.from({ length: 30 }, (_, i) => `c${i % 20}`)
    const batch = await run(...names.map(collection => ({ ...insert, collection })))
    expect(asked.toSorted()).toEqual([...new Set(names)].map(name => `shop.${name}`).toSorted())
    expect(batch.records.topics.slice(0, batch.recordCount)).toEqual(names.map(name => `shop.${name}`))
    expect(done).toEqual(['sink', 'encode'])
  })

  test('keeps the partition count of before where the topic has grown; refuses one that has shrunk (G2)', async () => {
    const grown = setting({ before: 1, now: 4 })
    const batch = await grown.run(insert)
    expect([...batch.records.partitions.slice(0, 1)]).toEqual([0])
    expect(grown.used).toEqual([])
    await expect(setting({ before: 4, now: 1 }).run(insert)).rejects.toThrow(Configuration)
  })
})

test('a collection whose name gives no topic that Kafka allows is poison', () => {
  const at = { db: 'shop', position }
  expect(topicOf('{db}.{collection}', { ...at, collection: 'orders' })).toBe('shop.orders')
  expect(() => topicOf('{db}.{collection}', { ...at, collection: 'ord ers' })).toThrow(PoisonEvent)
  expect(() => topicOf('..', { ...at, collection: 'orders' })).toThrow(PoisonEvent)
})
