import { Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { MalformedAnswer } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { endMarkRequest } from '../../../../src/sink/kafka/reading/end-mark.ts'
import { PartitionReader, type ReaderLimits } from '../../../../src/sink/kafka/reading/partition-reader.ts'
import { recordBatches } from '../../../../src/sink/kafka/reading/record-batches.ts'
import { never } from '../fixture.ts'
import { type FakeBrokerOptions, fakeBroker } from './fake-broker.ts'

const mark = { topic: 'shop', partition: 3, key: 'mark', timestampMs: 1_700_000_000_000 }
const quick: Partial<ReaderLimits> = { leaderWaitMs: 200, transactionWaitMs: 200 }
const timedOut = 7
const notLeader = 6

function readerOf(name: string, limits: Partial<ReaderLimits> = {}): PartitionReader {
  return new PartitionReader({ settings: { brokers: [name], clientId: 'test' }, clock: systemClock, limits })
}

describe('the request', () => {
  it('asks for the acknowledgement of all in-sync replicas, for one record without value of no producer', () => {
    const body = Buffer.concat(endMarkRequest(mark).encode())
    expect(body.readInt16BE(0), 'no transactional id').toBe(-1)
    expect(body.readInt16BE(2), 'acks').toBe(-1)
    expect(body.subarray(12, 18)).toEqual(Buffer.from('\0\x04shop'))
    const records = body.subarray(30)
    expect(body.readInt32BE(26)).toBe(records.length)
    const [batch, ...others] = [...recordBatches(records)]
    expect(others).toEqual([])
    expect(batch).toMatchObject({ producerId: -1n, isTransactional: false, isControl: false })
    expect(batch?.records().map(({ key, value }) => [String(key), value])).toEqual([['mark', null]])
  })

  it('is answered with an offset or an error code, and not by what says nothing about the partition', () => {
    const { parse } = endMarkRequest(mark)
    expect(parse(answerOf('shop', 3, 0, 2n ** 52n))).toEqual({ errorCode: 0, offset: 2n ** 52n })
    expect(parse(answerOf('shop', 3, timedOut, -1n))).toEqual({ errorCode: timedOut, offset: -1n })
    expect(() => parse(answerOf('shop', 4, 0, 1n))).toThrow(MalformedAnswer)
    expect(() => parse(answerOf('other', 3, 0, 1n))).toThrow('nothing about shop-3')
  })
})

function answerOf(topic: string, partition: number, errorCode: number, offset: bigint): Buffer {
  const putPartition = (w: Writer) => {
    w.appendInt32(partition).appendInt16(errorCode).appendInt64(offset).appendInt64(-1n)
  }
  const putTopic = (w: Writer) => {
    w.appendString(topic, false).appendArray([0], putPartition, false, false)
  }
  return Writer.create().appendArray([0], putTopic, false, false).appendInt32(0).buffer
}

/** A batch of one record, its key as value. */
function recordAt(offset: bigint): Buffer {
  const key = `r${offset}`
  const body = Buffer.concat(endMarkRequest({ ...mark, key }).encode())
  const bytes = Buffer.from(body.subarray(30))
  bytes.writeBigInt64BE(offset)
  return bytes
}

/** A leader with so many records. */
function leaderOf(count: bigint): NonNullable<FakeBrokerOptions['fetch']> {
  return (_, { offset }) => ({ highWatermark: count, ...(offset < count && { records: recordAt(offset) }) })
}

/** Keys of the records up to `until`. */
async function read(reader: PartitionReader, until: bigint): Promise<string[]> {
  const keys: string[] = []
  for await (const records of reader.readPartition('t', 0, 0n, { isolation: 'read_committed', until }, never)) {
    for (const { key } of records) keys.push(String(key))
  }
  return keys
}

describe('behind a broker that woke up and takes itself for the leader', () => {
  it('the mark is what the true leader has acknowledged', async () => {
    await using successor = await fakeBroker({ produce: () => ({ offset: 5n }) })
    let refusals = 0
    await using woken = await fakeBroker({
      // Nobody follows it: no acknowledgement comes in time, and at last it hears of its successor.
      produce: () => ({ errorCode: ++refusals < 3 ? timedOut : notLeader }),
      leader: (_, own) => (refusals < 3 ? own : successor.address.port),
    })
    await using reader = readerOf(woken.name)
    expect(await reader.mark('t', 0, 'mark', never)).toBe(5n)
  })

  it('nothing before the mark is missed', async () => {
    await using successor = await fakeBroker({ fetch: leaderOf(5n) })
    let empty = 0
    await using woken = await fakeBroker({
      fetch: (index, question) => {
        if (question.offset >= 2n) empty += 1
        return leaderOf(2n)(index, question)
      },
      leader: (_, own) => (empty < 2 ? own : successor.address.port),
    })
    await using reader = readerOf(woken.name)
    expect(await read(reader, 5n)).toEqual(['r0', 'r1', 'r2', 'r3', 'r4'])
  })

  it('a read is given up before it ends early', async () => {
    await using woken = await fakeBroker({ fetch: leaderOf(2n), produce: () => ({ errorCode: timedOut }) })
    await using reader = readerOf(woken.name, quick)
    const unread = { name: 'Retryable', code: 'SINK_UNAVAILABLE' }
    await expect(read(reader, 5n)).rejects.toMatchObject(unread)
    await expect(read(reader, 5n)).rejects.toThrow('the leader of t-0@2 knows of nothing up to 5')
    await expect(reader.mark('t', 0, 'mark', never)).rejects.toMatchObject(unread)
  })
})

it.each([
  ['SINK_UNAUTHORIZED', 'TOPIC_AUTHORIZATION_FAILED', { produce: () => ({ errorCode: 29 }) }],
  ['SINK_UNAVAILABLE', 'the broker answers error 1', { produce: () => ({ errorCode: 1 }) }],
  ['SINK_REJECTED', 'Produce version 3', {}],
] as [string, string, FakeBrokerOptions][])('a refused mark is no mark: %s, %s', async (code, text, options) => {
  await using broker = await fakeBroker(options)
  await using reader = readerOf(broker.name, quick)
  const marking = reader.mark('t', 0, 'mark', never)
  await expect(marking).rejects.toMatchObject({ code })
  await expect(marking).rejects.toThrow(text)
})
