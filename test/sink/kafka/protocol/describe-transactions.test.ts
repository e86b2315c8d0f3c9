import { describeTransactionsV0, Reader, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { MalformedAnswer } from '../../../../src/sink/kafka/protocol/answer-reader.ts'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'
import {
  describeTransactionRequest,
  describeTransactionsApi,
} from '../../../../src/sink/kafka/protocol/describe-transactions.ts'

/** The answer's body, without the header's tagged fields. */
function bodyOf(errorCode: number, transactionalId: string, state: string): Buffer {
  return Writer.create()
    .appendInt32(0)
    .appendArray(
      [state],
      writer => {
        writer.appendInt16(errorCode).appendString(transactionalId).appendString(state).appendInt32(10_000)
        writer
          .appendInt64(1_700_000_000_000n)
          .appendInt64(2n ** 60n)
          .appendInt16(7)
        writer.appendArray(['topic'], (topics, topic) => {
          topics.appendString(topic).appendArray([0, 1], (partitions, n) => partitions.appendInt32(n), true, false)
        })
      },
      true,
      true,
    )
    .appendTaggedFields().buffer
}

const noTags = Buffer.of(0)

describe('DescribeTransactions', () => {
  it.each(['shop.orders.0', 'ö', 'x'.repeat(126), 'x'.repeat(127), 'x'.repeat(20_000)])(
    'is byte for byte what @platformatic/kafka sends (%#)',
    id => {
      const ours = Buffer.concat(describeTransactionRequest(id).encode())
      const { createRequest, api } = describeTransactionsV0
      expect(ours).toEqual(Buffer.concat([noTags, createRequest([id]).buffer]))
      expect(describeTransactionsApi).toEqual({ apiKey: api.key, apiVersion: api.version })
    },
  )

  it('is answered with the identity that counts and the state', () => {
    for (const id of ['shop.orders.0', 'x'.repeat(300)]) {
      const body = bodyOf(0, id, 'CompleteAbort')
      const parsed = describeTransactionRequest(id).parse(Buffer.concat([noTags, body]))
      expect(parsed).toEqual({ state: 'CompleteAbort', producerId: 2n ** 60n, producerEpoch: 7 })
      const theirs = describeTransactionsV0.parseResponse(1, 65, 0, Reader.from(body))
      expect(theirs.transactionStates).toMatchObject([{ transactionState: 'CompleteAbort', producerEpoch: 7 }])
    }
  })

  it('skips tagged fields that a later broker puts in the header', () => {
    const tags = Buffer.of(2, 0, 1, 42, 200, 1, 3, 1, 2, 3)
    const parsed = describeTransactionRequest('a').parse(Buffer.concat([tags, bodyOf(0, 'a', 'Empty')]))
    expect(parsed).toMatchObject({ state: 'Empty', producerEpoch: 7 })
  })

  it('or with an error', () => {
    const parse = () => describeTransactionRequest('a').parse(Buffer.concat([noTags, bodyOf(105, 'a', '')]))
    expect(parse).toThrow(BrokerError)
    expect(parse).toThrow('TRANSACTIONAL_ID_NOT_FOUND (105)')
  })

  it('is refused where it makes no sense', () => {
    const whole = Buffer.concat([noTags, bodyOf(0, 'shop.orders.0', 'Ongoing')])
    const { parse } = describeTransactionRequest('shop.orders.0')
    for (let length = 0; length < 40; length += 1)
      expect(() => parse(whole.subarray(0, length))).toThrow(MalformedAnswer)
    expect(() => parse(Buffer.alloc(20, 255))).toThrow(MalformedAnswer)
  })
})
