import { Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { MalformedAnswer } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { listOffsetsRequest, type OffsetQuestion } from '../../../../src/sink/kafka/protocol/list-offsets.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const question: OffsetQuestion = { topic: 'shop.orders', partition: 3, at: 'latest', isolation: 'read_uncommitted' }

function answerOf(topic: string, partition: number, errorCode: number, offset: bigint): Buffer {
  return Writer.create()
    .appendInt32(0)
    .appendArray(
      [0],
      w => {
        w.appendString(topic, false).appendArray(
          [0],
          each => each.appendInt32(partition).appendInt16(errorCode).appendInt64(-1n).appendInt64(offset),
          false,
          false,
        )
      },
      false,
      false,
    ).buffer
}

describe('ListOffsets', () => {
  it.each([
    ['latest', 'read_uncommitted', -1, 0],
    ['latest', 'read_committed', -1, 1],
    ['earliest', 'read_uncommitted', -2, 0],
  ] as const)('%s, %s is byte for byte what kafkajs sends', async (at, isolation, timestamp, isolationLevel) => {
    const { topic, partition } = question
    const fields = { replicaId: -1, isolationLevel, topics: [{ topic, partitions: [{ partition, timestamp }] }] }
    const ours = Buffer.concat(listOffsetsRequest({ ...question, at, isolation }).encode())
    expect(ours).toEqual(await kafkaJsBody('listOffsets/v2', fields))
  })

  it('is answered with an offset or an error code', () => {
    const { parse } = listOffsetsRequest(question)
    expect(parse(answerOf('shop.orders', 3, 0, 2n ** 52n))).toEqual({ errorCode: 0, offset: 2n ** 52n })
    expect(parse(answerOf('shop.orders', 3, 5, -1n))).toEqual({ errorCode: 5, offset: -1n })
  })

  it('is not answered by what says nothing about the partition, or is cut off', () => {
    const { parse } = listOffsetsRequest(question)
    expect(() => parse(answerOf('shop.orders', 4, 0, 1n))).toThrow('nothing about shop.orders-3')
    expect(() => parse(answerOf('other', 3, 0, 1n))).toThrow(MalformedAnswer)
    const answer = answerOf('shop.orders', 3, 0, 1n)
    for (let length = 0; length < answer.length; length++) {
      expect(() => parse(answer.subarray(0, length))).toThrow(MalformedAnswer)
    }
  })
})
