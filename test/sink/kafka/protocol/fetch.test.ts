import { createRequire } from 'node:module'
import { createRecordsBatch, Writer } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MalformedAnswer } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'
import {
  type FetchQuestion,
  fetchApi,
  fetchRequest,
  fetchWithZstdApi,
  remoteWaitMs,
} from '../../../../src/sink/kafka/protocol/fetch.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const question: FetchQuestion = {
  topic: 'shop.orders',
  partition: 3,
  offset: 2n ** 40n + 7n,
  isolation: 'read_committed',
  limitBytes: 1 << 20,
}

function body(version: 4 | 10, changes: Partial<FetchQuestion> = {}): Buffer {
  return Buffer.concat(fetchRequest({ ...question, ...changes }, version).encode())
}

interface Answered {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: bigint
  readonly lastStableOffset: bigint
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  readonly records: Buffer
}

function answerOf(version: 4 | 10, topics: readonly (readonly [string, readonly Answered[]])[], errorCode = 0): Buffer {
  const writer = Writer.create().appendInt32(250)
  if (version === 10) writer.appendInt16(errorCode).appendInt32(0)
  const putPartition = (w: Writer, answered: Answered) => {
    w.appendInt32(answered.partition)
      .appendInt16(answered.errorCode)
      .appendInt64(answered.highWatermark)
      .appendInt64(answered.lastStableOffset)
    if (version === 10) w.appendInt64(0n)
    w.appendArray(
      [...answered.aborted],
      (each, { producerId, firstOffset }) => each.appendInt64(producerId).appendInt64(firstOffset),
      false,
      false,
    )
    w.appendInt32(answered.records.length).append(answered.records)
  }
  return writer.appendArray(
    [...topics],
    (w, [topic, partitions]) => {
      w.appendString(topic, false).appendArray([...partitions], putPartition, false, false)
    },
    false,
    false,
  ).buffer
}

const answered: Answered = {
  partition: 3,
  errorCode: 0,
  highWatermark: 90n,
  lastStableOffset: 80n,
  aborted: [
    { producerId: 5n, firstOffset: 70n },
    { producerId: 2n ** 50n, firstOffset: 71n },
  ],
  records: createRecordsBatch([{ topic: 't', value: Buffer.from('v') }], {}).buffer,
}
const { partition: _, ...expected } = answered

describe.each([4, 10] as const)('Fetch version %i', version => {
  it.each(['read_committed', 'read_uncommitted'] as const)(
    'is byte for byte what kafkajs sends, %s',
    async isolation => {
      const { topic, partition, offset, limitBytes } = question
      const fields = {
        replicaId: -1,
        maxWaitTime: remoteWaitMs,
        minBytes: 0,
        maxBytes: limitBytes,
        isolationLevel: isolation === 'read_committed' ? 1 : 0,
        topics: [
          {
            topic,
            partitions: [
              {
                partition,
                fetchOffset: String(offset),
                maxBytes: limitBytes,
                currentLeaderEpoch: -1,
                logStartOffset: '-1',
              },
            ],
          },
        ],
      }
      expect(body(version, { isolation })).toEqual(await kafkaJsBody(`fetch/v${version}`, fields))
    },
  )

  it('is answered with the partition that was asked for', async () => {
    const other = { ...answered, partition: 4, highWatermark: 1n }
    const answer = answerOf(version, [
      ['another', [answered]],
      [question.topic, [other, answered]],
    ])
    expect(fetchRequest(question, version).parse(answer)).toEqual({ throttleMs: 250, partition: expected })
    const decode = createRequire(import.meta.url)(`kafkajs/src/protocol/requests/fetch/v${version}/response.js`).decode
    const theirs = await decode(answer)
    expect(theirs.responses[1].partitions[1]).toMatchObject({ highWatermark: '90', lastStableOffset: '80' })
    expect(theirs.responses[1].partitions[1].messages).toHaveLength(1)
  })

  it('keeps nothing of the memory that the answer came in', () => {
    const answer = answerOf(version, [[question.topic, [answered]]])
    const { partition } = fetchRequest(question, version).parse(answer)
    answer.fill(0)
    expect(partition?.records).toEqual(answered.records)
  })

  it('is answered without partition by a broker that throttles', () => {
    expect(fetchRequest(question, version).parse(answerOf(version, []))).toEqual({
      throttleMs: 250,
      partition: undefined,
    })
  })

  it('never takes nonsense for an answer', () => {
    const answer = answerOf(version, [[question.topic, [answered]]])
    for (let length = 0; length < answer.length; length++) {
      expect(() => fetchRequest(question, version).parse(answer.subarray(0, length))).toThrow(MalformedAnswer)
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        try {
          fetchRequest(question, version).parse(Buffer.from(bytes))
        } catch (error) {
          expect(error instanceof MalformedAnswer || error instanceof BrokerError).toBe(true)
        }
      }),
    )
  })
})

it('is answered with an error of the whole request since version 7', () => {
  expect(() => fetchRequest(question, 10).parse(answerOf(10, [], 70))).toThrow(BrokerError)
  expect(fetchApi).toEqual({ apiKey: 1, apiVersion: 4 })
  expect(fetchWithZstdApi).toEqual({ apiKey: 1, apiVersion: 10 })
})
