import { findCoordinatorV2, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { findCoordinatorApi, findCoordinatorRequest } from '../../../../src/sink/kafka/protocol/find-coordinator.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

function answerOf(errorCode: number, message: string | null, nodeId: number, host: string, port: number): Buffer {
  const writer = Writer.create().appendInt32(0).appendInt16(errorCode).appendString(message, false)
  return writer.appendInt32(nodeId).appendString(host, false).appendInt32(port).buffer
}

describe('FindCoordinator', () => {
  it.each(['group', 'transaction'] as const)('is byte for byte what both clients send for a %s', async kind => {
    const ours = Buffer.concat(findCoordinatorRequest(kind, 'shop.заказы.0').encode())
    const keyType = kind === 'group' ? 0 : 1
    expect(ours).toEqual(findCoordinatorV2.createRequest(keyType, ['shop.заказы.0']).buffer)
    const fields = { coordinatorKey: 'shop.заказы.0', coordinatorType: keyType }
    expect(ours).toEqual(await kafkaJsBody('findCoordinator/v2', fields))
    expect(findCoordinatorApi).toEqual({ apiKey: findCoordinatorV2.api.key, apiVersion: findCoordinatorV2.api.version })
  })

  it('is answered with a broker', () => {
    const answer = answerOf(0, 'NONE', 7, 'broker.example', 9092)
    const found = { nodeId: 7, host: 'broker.example', port: 9092 }
    expect(findCoordinatorRequest('transaction', 'x').parse(answer)).toEqual(found)
  })

  it('or with an error, without one', () => {
    const answer = answerOf(15, null, -1, '', -1)
    expect(() => findCoordinatorRequest('group', 'x').parse(answer)).toThrow('COORDINATOR_NOT_AVAILABLE (15)')
  })
})
