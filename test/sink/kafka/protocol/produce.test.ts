import { createRecordsBatch, produceV8, Reader, Writer } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedAnswer } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { produceApi, produceRequest } from '../../../../src/sink/kafka/protocol/produce.ts'
import type { ProduceBatch } from '../../../../src/sink/kafka/wire.ts'

const timestamp = 1_700_000_000_000n

function message(topic: string, partition: number, value: string) {
  return { topic, partition, timestamp, key: Buffer.from('k'), value: Buffer.from(value) }
}

function batchOf(...messages: ReturnType<typeof message>[]): ProduceBatch {
  const { topic, partition } = messages[0]!
  return { topic, partition, bytes: createRecordsBatch(messages, {}).buffer }
}

function encode(batches: readonly ProduceBatch[], ackTimeoutMs = 30_000): Buffer {
  return Buffer.concat(produceRequest(batches, ackTimeoutMs).encode())
}

interface Answered {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset: bigint
  readonly records: { readonly index: number; readonly text: string | null }[]
  readonly text: string | null
}

/** An answer of version 8 in the order of `answered`, one topic entry each: brokers may order as they like. */
function answerOf(answered: readonly Answered[], throttleMs: number): Buffer {
  return Writer.create()
    .appendArray(
      [...Map.groupBy(answered, ({ topic }) => topic)],
      (w, [topic, results]) => {
        w.appendString(topic, false).appendArray(
          results,
          (w, { partition, errorCode, baseOffset, records, text }) => {
            w.appendInt32(partition).appendInt16(errorCode).appendInt64(baseOffset).appendInt64(-1n).appendInt64(0n)
            w.appendArray(records, (w, r) => w.appendInt32(r.index).appendString(r.text, false), false, false)
            w.appendString(text, false)
          },
          false,
          false,
        )
      },
      false,
      false,
    )
    .appendInt32(throttleMs).buffer
}

describe('a produce request', () => {
  it('is byte for byte what @platformatic/kafka sends in a transaction, but for the batches', () => {
    const one = message('a', 1, 'one')
    const batch = batchOf(one)
    const theirs = produceV8.createRequest(-1, 30_000, [one], {
      transactionalId: 'shop.größe.0',
    }).buffer
    const ours = Buffer.concat(produceRequest([batch], 30_000, 'shop.größe.0').encode())
    const headBytes = ours.length - batch.bytes.length
    expect(ours.subarray(0, headBytes)).toEqual(theirs.subarray(0, headBytes))
    expect(ours.subarray(headBytes)).toEqual(batch.bytes)
  })

  it('is byte for byte what @platformatic/kafka sends, topics grouped', () => {
    const all = [message('a', 1, 'one'), message('größe', 0, 'zwei'), message('a', 0, 'three'), message('a', 1, 'four')]
    // Partitions in rising order, as they put them.
    const batches = [batchOf(all[2]!), batchOf(all[1]!), batchOf(all[0]!, all[3]!)]
    const theirs = produceV8.createRequest(-1, 30_000, [all[2]!, all[1]!, all[0]!, all[3]!], {})
    if (theirs instanceof Promise) throw new Error('only gzip is asynchronous')
    expect(encode(batches).toString('hex')).toBe(theirs.buffer.toString('hex'))
    expect(produceApi).toEqual({ apiKey: produceV8.api.key, apiVersion: produceV8.api.version })
  })

  it('does not copy the batches', () => {
    const batches = [batchOf(message('a', 0, 'x')), batchOf(message('b', 3, 'y'))]
    const parts = produceRequest(batches, 1).encode()
    for (const { bytes } of batches) expect(parts.some(part => part === bytes)).toBe(true)
  })

  it('carries the wait for the replicas', () => {
    expect(encode([], 4_711).readInt32BE(4)).toBe(4_711)
  })
})

const answeredArbitrary = fc.record({
  topic: fc.constantFrom('a', 'b', 'größe'),
  partition: fc.integer({ min: 0, max: 5 }),
  errorCode: fc.constantFrom(0, 0, 10, 45, -1),
  baseOffset: fc.bigInt({ min: -1n, max: 2n ** 62n }),
  records: fc.array(fc.record({ index: fc.nat(9), text: fc.option(fc.constantFrom('', 'bad')) }), { maxLength: 2 }),
  text: fc.option(fc.constantFrom('', 'text')),
})

describe('the answer to a produce request', () => {
  it('gives each batch its own result, in the order of the request', () => {
    const answers = fc.uniqueArray(answeredArbitrary, { selector: ({ topic, partition }) => `${topic}-${partition}` })
    fc.assert(
      fc.property(answers, fc.infiniteStream(fc.nat()), fc.nat(1_000), (answered, order, throttleMs) => {
        const asked = answered
          .map(entry => ({ entry, rank: order.next().value ?? 0 }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ entry }) => entry)
        const batches = asked.map(({ topic, partition }) => ({ topic, partition, bytes: Buffer.alloc(0) }))
        const answer = produceRequest(batches, 1).parse(answerOf(answered, throttleMs))
        expect(answer.throttleMs).toBe(throttleMs)
        expect(answer.results).toEqual(
          asked.map(({ topic, partition, errorCode, baseOffset, records }) => ({
            topic,
            partition,
            errorCode,
            baseOffset,
            rejected: records.map(({ index }) => index),
          })),
        )
      }),
    )
  })

  it('is read as @platformatic/kafka reads it', () => {
    const answered = [0, 1].map(partition => ({
      topic: 't',
      partition,
      errorCode: 0,
      baseOffset: 77n + BigInt(partition),
      records: [],
      text: null,
    }))
    const bytes = answerOf(answered, 5)
    const theirs = produceV8.parseResponse(1, 0, 8, Reader.from(bytes))
    const ours = produceRequest(
      answered.map(({ topic, partition }) => ({ topic, partition, bytes })),
      1,
    ).parse(bytes)
    expect(theirs.throttleTimeMs).toBe(ours.throttleMs)
    expect(theirs.responses[0]?.partitionResponses.map(({ index, baseOffset }) => [index, baseOffset])).toEqual(
      ours.results.map(({ partition, baseOffset }) => [partition, baseOffset]),
    )
  })

  it('that says nothing about a batch is an error of that batch', () => {
    const about = { topic: 't', partition: 0, errorCode: 0, baseOffset: 5n, records: [], text: null }
    const batches = [0, 1].map(partition => ({ topic: 't', partition, bytes: Buffer.alloc(0) }))
    const { results } = produceRequest([...batches, { ...batches[0]!, topic: 'u' }], 1).parse(answerOf([about], 0))
    expect(results.map(({ errorCode }) => errorCode)).toEqual([0, -1, -1])
    expect(results.map(({ baseOffset }) => baseOffset)).toEqual([5n, -1n, -1n])
  })

  it('that is cut off anywhere is malformed', () => {
    const records = [{ index: 3, text: 'bad' }]
    const bytes = answerOf([{ topic: 't', partition: 0, errorCode: 87, baseOffset: -1n, records, text: 'x' }], 0)
    const request = produceRequest([], 1)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => request.parse(bytes.subarray(0, length))).toThrow(MalformedAnswer)
    }
    const endless = Buffer.from(bytes)
    endless.writeInt32BE(2 ** 31 - 1, 0)
    expect(() => request.parse(endless)).toThrow(MalformedAnswer)
  })
})
