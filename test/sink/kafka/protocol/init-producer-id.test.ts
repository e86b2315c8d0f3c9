import { initProducerIdV1, Reader, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'
import { initProducerIdApi, initProducerIdRequest } from '../../../../src/sink/kafka/protocol/init-producer-id.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

function answerOf(errorCode: number, producerId: bigint, producerEpoch: number): Buffer {
  return Writer.create().appendInt32(0).appendInt16(errorCode).appendInt64(producerId).appendInt16(producerEpoch).buffer
}

describe('InitProducerId', () => {
  it('is byte for byte what both clients send without transactional id', async () => {
    const ours = Buffer.concat(initProducerIdRequest().encode())
    const theirs = initProducerIdV1.createRequest(null, 2 ** 31 - 1)
    expect(ours).toEqual(theirs.buffer)
    const fields = { transactionalId: null, transactionTimeout: 2 ** 31 - 1 }
    expect(ours).toEqual(await kafkaJsBody('initProducerId/v1', fields))
    expect(initProducerIdApi).toEqual({ apiKey: initProducerIdV1.api.key, apiVersion: initProducerIdV1.api.version })
  })

  it('is byte for byte what both clients send with a transactional id', async () => {
    const ours = Buffer.concat(
      initProducerIdRequest({ transactionalId: 'shop.orders.0', transactionTimeoutMs: 10_000 }).encode(),
    )
    expect(ours).toEqual(initProducerIdV1.createRequest('shop.orders.0', 10_000).buffer)
    const fields = { transactionalId: 'shop.orders.0', transactionTimeout: 10_000 }
    expect(ours).toEqual(await kafkaJsBody('initProducerId/v1', fields))
  })

  it('is answered with an identity', () => {
    const bytes = answerOf(0, 2n ** 60n, 3)
    expect(initProducerIdRequest().parse(bytes)).toEqual({ producerId: 2n ** 60n, producerEpoch: 3 })
    expect(initProducerIdV1.parseResponse(1, 22, 1, Reader.from(bytes))).toMatchObject({ producerId: 2n ** 60n })
  })

  it('or with an error', () => {
    expect(() => initProducerIdRequest().parse(answerOf(15, -1n, -1))).toThrow(BrokerError)
    expect(() => initProducerIdRequest().parse(answerOf(15, -1n, -1))).toThrow('COORDINATOR_NOT_AVAILABLE (15)')
  })
})
