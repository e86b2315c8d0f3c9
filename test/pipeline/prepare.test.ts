import { describe, expect, test } from 'vitest'
import type { Doing } from '../../src/busy.ts'
import { createEncoder } from '../../src/encode/encoder.ts'
import { RecordBlocks } from '../../src/encode/record-block.ts'
import { Configuration, PoisonEvent } from '../../src/errors.ts'
import type { ChangeEvent } from '../../src/event.ts'
import { type Meter, silentMeter } from '../../src/meter.ts'
import { createPrepare } from '../../src/pipeline/prepare.ts'
import { type Choice, VerdictsAhead } from '../../src/pipeline/verdicts.ts'
import { Position } from '../../src/position.ts'
import { outRecord } from '../../src/record-headers.ts'
import { eventOf, optionsOf, positionAt } from '../encode/events.ts'

const insert = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { _id: 7 } })
const update = eventOf({ operation: 'update', documentKey: { _id: 7 }, after: { _id: 7 } })
const position = Position.ofTime(9n)
const signal = new AbortController().signal

interface Circumstances {
  readonly before?: number
  readonly now?: number
  readonly choice?: Choice
  /** What the sink has refused before. */
  readonly refused?: readonly [Position, PoisonEvent][]
}

function setting({ before, now = 4, choice = 'dead-letter', refused = [] }: Circumstances = {}) {
  const counted: string[] = []
  const meter: Meter = {
    ...silentMeter,
    count: (name, labels, by = 1) => counted.push(`${name} ${labels.operation ?? labels.reason ?? ''} ${by}`),
  }
  const done: Doing[] = []
  const warned: string[] = []
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
    onError: { oversize: choice, poison: choice, deadLetterTopic: '{topic}.dlq' },
    verdicts: new VerdictsAhead(new Map(refused.map(([at, why]) => [at.sortKey.toString('latin1'), why]))),
    meter,
    log: { warn: (fields, message) => warned.push(JSON.stringify({ ...fields, message })) },
    watch: { doing: doing => done.push(doing) },
  })
  const run = (...events: ChangeEvent[]) => {
    const end = events.at(-1)?.position ?? position
    return prepare({ events, position: end.compare(position) > 0 ? end : position, bytes: 1_234 }, signal)
  }
  return { run, counted, done, used, asked, warned }
}

describe('prepare', () => {
  test('gives each record its topic and partition, and the batch its size, times and position', async () => {
    const { run, asked } = setting()
    const later = { ...insert, timestampMs: insert.timestampMs + 1 }
    const batch = await run(insert, update, later)
    expect(batch).toMatchObject({ recordCount: 3, position: insert.position, oldestMs: insert.timestampMs })
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

describe('an event that cannot pass', () => {
  /** Its value cannot be written: a byte of a type that BSON has not. */
  function broken(): ChangeEvent {
    const event = eventOf({ operation: 'insert', documentKey: { _id: 7 }, after: { secret: 'text' } })
    event.after!.bytes[event.after!.start + 4] = 0x20
    return event
  }
  const refusal = new PoisonEvent('SINK_RECORD_TOO_LARGE', 'larger than the topic takes')
  const placed = ({ records, recordCount }: Awaited<ReturnType<ReturnType<typeof setting>['run']>>) =>
    Array.from({ length: recordCount }, (_, i) => outRecord(records, i))

  test('goes to the dead letters in its place, with its key, counted and told once, without its contents', async () => {
    const { run, counted, asked, warned } = setting()
    const batch = await run(insert, broken(), update)
    const records = placed(batch)
    expect(records.map(({ topic }) => topic)).toEqual(['shop.orders', 'shop.orders.dlq', 'shop.orders'])
    expect(new Set(records.map(({ key, partition }) => `${key} ${partition}`)).size).toBe(1)
    expect(asked.toSorted()).toEqual(['shop.orders', 'shop.orders.dlq'])
    expect(counted).toContain('dead_letters_total poison 1')
    expect(warned).toHaveLength(1)
    expect(warned[0]).toContain('EVENT_UNENCODABLE')
    expect(warned[0]).not.toContain('secret')
  })

  test('is left out where the pipeline skips such events, and that is counted', async () => {
    const { run, counted, warned } = setting({ choice: 'skip' })
    const batch = await run(broken(), insert)
    expect(placed(batch).map(({ topic }) => topic)).toEqual(['shop.orders'])
    expect(counted).toContain('skipped_events_total poison 1')
    expect(warned).toHaveLength(1)
  })

  test('stops the pipeline where that is what it is to do; nothing of the batch is left behind', async () => {
    const { run, asked } = setting({ choice: 'fail' })
    await expect(run(insert, broken())).rejects.toMatchObject({ name: 'PoisonEvent', code: 'EVENT_UNENCODABLE' })
    const batch = await run(insert)
    expect(batch.recordCount).toBe(1)
    expect(asked).toEqual(['shop.orders'])
  })

  test('by the verdict of the sink: all of its records are replaced, and no other event is touched', async () => {
    const [first, second, third] = [1, 2, 3].map(seconds => positionAt(seconds))
    const at = (where: Position | undefined) => {
      return { ...eventOf({ operation: 'delete', documentKey: { _id: 7 } }), position: where! }
    }
    const { run, counted } = setting({ refused: [[second!, refusal]] })
    expect(placed(await run(at(first))).map(({ topic }) => topic)).toEqual(['shop.orders', 'shop.orders'])
    const [letter, ...others] = placed(await run(at(second), at(third)))
    expect(letter).toMatchObject({ topic: 'shop.orders.dlq' })
    expect(JSON.parse(letter!.value!.toString())).toMatchObject({ reason: 'oversize', code: 'SINK_RECORD_TOO_LARGE' })
    expect(others.map(({ topic }) => topic)).toEqual(['shop.orders', 'shop.orders'])
    expect(counted.filter(line => line.startsWith('dead'))).toEqual(['dead_letters_total oversize 1'])
  })

  test('because the source has not all of it', async () => {
    const { run } = setting()
    const poison = new PoisonEvent('SOURCE_EVENT_TOO_LARGE', 'larger than 16 MB')
    const slim = { ...eventOf({ operation: 'update', documentKey: { _id: 7 } }), poison }
    const [letter, ...others] = placed(await run(slim, insert))
    expect(letter).toMatchObject({ topic: 'shop.orders.dlq', key: others[0]!.key })
    const told = { reason: 'oversize', code: 'SOURCE_EVENT_TOO_LARGE', db: 'shop', collection: 'orders' }
    expect(JSON.parse(letter!.value!.toString())).toMatchObject({ ...told, documentKey: { _id: { $numberInt: '7' } } })
    expect(others.map(({ topic }) => topic)).toEqual(['shop.orders'])
    await expect(setting({ choice: 'fail' }).run(slim)).rejects.toBe(poison)
  })

  test('because its collection has no name for a topic', async () => {
    const { run } = setting()
    const batch = await run({ ...insert, collection: 'ord ers' }, insert)
    expect(placed(batch).map(({ topic }) => topic)).toEqual(['shop.ord_ers.dlq', 'shop.orders'])
  })
})
