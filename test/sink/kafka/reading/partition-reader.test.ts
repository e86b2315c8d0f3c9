import { createRecordsBatch } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { PartitionReader, type ReaderLimits } from '../../../../src/sink/kafka/reading/partition-reader.ts'
import { never } from '../fixture.ts'
import { type FakeBrokerOptions, fakeBroker } from './fake-broker.ts'

const quick: Partial<ReaderLimits> = { leaderWaitMs: 200, transactionWaitMs: 200 }

function readerOf(name: string, limits: Partial<ReaderLimits> = {}): PartitionReader {
  return new PartitionReader({ settings: { brokers: [name], clientId: 'test' }, clock: systemClock, limits })
}

function batchAt(offset: bigint, ...values: string[]): Buffer {
  const bytes = Buffer.from(
    createRecordsBatch(
      values.map(value => ({ topic: 't', value: Buffer.from(value) })),
      {},
    ).buffer,
  )
  bytes.writeBigInt64BE(offset)
  return bytes
}

/** Values from offset `from` on, as one line a record. */
async function readAll(reader: PartitionReader, from = 0n, signal = never): Promise<string[]> {
  const lines: string[] = []
  for await (const records of reader.readPartition('t', 0, from, { isolation: 'read_committed' }, signal)) {
    for (const { offset, value } of records) lines.push(`${offset} ${value}`)
  }
  return lines
}

async function readFrom(options: FakeBrokerOptions, from = 0n, limits?: Partial<ReaderLimits>): Promise<string[]> {
  await using broker = await fakeBroker(options)
  await using reader = readerOf(broker.name, limits)
  return await readAll(reader, from)
}

const end = (offset: bigint) => () => ({ offset })

describe('a partition is read', () => {
  it('to the high watermark of the beginning, though more comes meanwhile', async () => {
    const batches = [batchAt(0n, 'a', 'b'), batchAt(2n, 'c'), batchAt(3n, 'd')]
    const fetch = (_: number, { offset }: { offset: bigint }) => ({
      highWatermark: 100n,
      records: batches[offset === 0n ? 0 : offset === 2n ? 1 : 2]!,
    })
    expect(await readFrom({ offset: end(3n), fetch })).toEqual(['0 a', '1 b', '2 c'])
    expect(await readFrom({ offset: end(0n), fetch })).toEqual([])
  })

  it('from an offset in the midst of a batch, to an end in the midst of one', async () => {
    const fetch = () => ({ highWatermark: 9n, records: batchAt(0n, 'a', 'b', 'c', 'd') })
    expect(await readFrom({ offset: end(3n), fetch }, 1n)).toEqual(['1 b', '2 c'])
  })

  it('though what is before the end is compacted away', async () => {
    const fetch = (_: number, { offset }: { offset: bigint }) =>
      offset === 0n ? { highWatermark: 50n, records: batchAt(0n, 'a') } : { highWatermark: 50n }
    expect(await readFrom({ offset: end(50n), fetch })).toEqual(['0 a'])
  })

  it('in larger bites where the broker cuts off the first batch', async () => {
    const large = batchAt(0n, 'x'.repeat(3 << 20))
    const limits: number[] = []
    const fetch = (_: number, { limitBytes }: { limitBytes: number }) => {
      limits.push(limitBytes)
      return { highWatermark: 1n, records: large.subarray(0, limitBytes) }
    }
    expect(await readFrom({ offset: end(1n), fetch })).toHaveLength(1)
    expect(limits).toEqual([1 << 20, 2 << 20, 4 << 20])
  })

  it.each([4, 10])('in version %i of Fetch where the broker has no later one', async fetchVersion => {
    const seen = new Set<number>()
    const fetch = (_: number, { version }: { version: number }) => {
      seen.add(version)
      return { highWatermark: 1n, records: batchAt(0n, 'a') }
    }
    expect(await readFrom({ fetchVersion, offset: end(1n), fetch })).toEqual(['0 a'])
    expect([...seen]).toEqual([fetchVersion])
  })

  it('after what retention has removed', async () => {
    const offset = (_: number, at: bigint) => ({ offset: at === -2n ? 5n : 7n })
    const fetch = (_: number, question: { offset: bigint }) =>
      question.offset < 5n ? { errorCode: 1 } : { highWatermark: 7n, records: batchAt(5n, 'f', 'g') }
    expect(await readFrom({ offset, fetch })).toEqual(['5 f', '6 g'])
  })

  it('with a new leader, with one that does not know the high watermark yet, and one that throttles', async () => {
    const errors = [6, 5, 78]
    await using next = await fakeBroker({
      offset: index => (errors[index] === undefined ? { offset: 1n } : { errorCode: errors[index] }),
      fetch: index => (index === 0 ? undefined : { highWatermark: 1n, records: batchAt(0n, 'a') }),
    })
    const { port } = next.address
    await using broker = await fakeBroker({
      offset: () => ({ errorCode: 6 }),
      leader: (index, own) => [own, undefined, port][Math.min(index, 2)],
    })
    await using reader = readerOf(broker.name)
    expect(await readAll(reader)).toEqual(['0 a'])
  })

  it('with a new connection where the old one has broken', async () => {
    const sockets: { destroy(): void }[] = []
    await using broker = await fakeBroker({
      offset: end(2n),
      fetch: (index, { offset }) => {
        if (index === 1) for (const socket of sockets) socket.destroy()
        return { highWatermark: 2n, records: batchAt(offset, String(index)) }
      },
    })
    await using reader = readerOf(broker.name)
    for await (const _ of reader.readPartition('t', 0, 1n, { isolation: 'read_uncommitted' }, never)) {
      sockets.push(...broker.sockets)
    }
    expect(await readAll(reader)).toEqual(['0 2', '1 3'])
  })

  it('with new connections after a while, for the old ones may be dead without a word', async () => {
    let nowMs = 0
    const clock = { ...systemClock, nowMs: () => nowMs, monotonicMs: () => nowMs }
    await using broker = await fakeBroker({
      offset: end(1n),
      fetch: () => ({ highWatermark: 1n, records: batchAt(0n, 'a') }),
    })
    await using reader = new PartitionReader({ settings: { brokers: [broker.name], clientId: 'test' }, clock })
    const seen = new Set<unknown>()
    for (const [passedMs, expected] of [
      [0, 2],
      [4_000, 2],
      [4_000, 2],
      [6_000, 4],
    ] as const) {
      nowMs += passedMs
      expect(await readAll(reader)).toEqual(['0 a'])
      for (const socket of broker.sockets) seen.add(socket)
      expect(seen.size).toBe(expected)
    }
  })
})

describe('a read is given up', () => {
  it.each([
    ['Retryable', 'SINK_UNAVAILABLE', 'no leader', { leader: () => undefined }],
    ['Retryable', 'SINK_UNAVAILABLE', 'NOT_LEADER', { offset: () => ({ errorCode: 6 }) }],
    [
      'Retryable',
      'SINK_UNAVAILABLE',
      'held back',
      { offset: end(2n), fetch: () => ({ highWatermark: 2n, lastStableOffset: 0n }) },
    ],
    [
      'Retryable',
      'SINK_UNAVAILABLE',
      'has nothing at 0',
      { offset: (_: number, at: bigint) => ({ offset: at === -2n ? 0n : 2n }), fetch: () => ({ errorCode: 1 }) },
    ],
    ['Configuration', 'SINK_UNAUTHORIZED', 'TOPIC_AUTHORIZATION_FAILED', { offset: () => ({ errorCode: 29 }) }],
    ['Configuration', 'SINK_REJECTED', 'Fetch version 4', { fetchVersion: 0, offset: end(2n) }],
    [
      'Retryable',
      'SINK_UNAVAILABLE',
      'checksum',
      { offset: end(2n), fetch: () => ({ highWatermark: 2n, records: broken() }) },
    ],
  ] as [string, string, string, FakeBrokerOptions][])('%s %s: %s', async (name, code, text, options) => {
    const reading = readFrom(options, 0n, quick)
    await expect(reading).rejects.toMatchObject({ name, code })
    await expect(reading).rejects.toThrow(text)
  })

  it('at an abort, whatever it waits for', async () => {
    for (const options of [
      { leader: () => undefined },
      { offset: end(2n), fetch: () => ({ highWatermark: 2n, lastStableOffset: 0n }) },
    ] as FakeBrokerOptions[]) {
      await using broker = await fakeBroker(options)
      await using reader = readerOf(broker.name)
      const stop = new AbortController()
      const reading = readAll(reader, 0n, stop.signal)
      stop.abort(new Error('enough'))
      await expect(reading).rejects.toThrow('enough')
      await expect(readAll(reader, 0n, stop.signal)).rejects.toThrow('enough')
    }
  })
})

function broken(): Buffer {
  const bytes = batchAt(0n, 'a')
  bytes[40]! ^= 1
  return bytes
}
