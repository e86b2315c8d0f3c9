import { endTxnV1, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'
import { endTxnApi, endTxnRequest } from '../../../../src/sink/kafka/protocol/end-txn.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const identity = { transactionalId: 'shop.orders.0', producerId: 2n ** 53n + 1n, producerEpoch: 3 }

describe('EndTxn', () => {
  it.each(['commit', 'abort'] as const)('is byte for byte what both clients send to %s', async outcome => {
    const ours = Buffer.concat(endTxnRequest(identity, outcome).encode())
    const { transactionalId, producerId, producerEpoch } = identity
    const isCommit = outcome === 'commit'
    expect(ours).toEqual(endTxnV1.createRequest(transactionalId, producerId, producerEpoch, isCommit).buffer)
    const fields = { transactionalId, producerId: String(producerId), producerEpoch, transactionResult: isCommit }
    expect(ours).toEqual(await kafkaJsBody('endTxn/v1', fields))
    expect(endTxnApi).toEqual({ apiKey: endTxnV1.api.key, apiVersion: endTxnV1.api.version })
  })

  it('is answered with nothing, or with an error', () => {
    const answerOf = (errorCode: number) => Writer.create().appendInt32(0).appendInt16(errorCode).buffer
    expect(endTxnRequest(identity, 'commit').parse(answerOf(0))).toBeUndefined()
    expect(() => endTxnRequest(identity, 'commit').parse(answerOf(47))).toThrow(BrokerError)
    expect(() => endTxnRequest(identity, 'commit').parse(answerOf(47))).toThrow('INVALID_PRODUCER_EPOCH (47)')
  })
})
