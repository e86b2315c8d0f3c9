import { heartbeatV2, Reader, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { heartbeatApi, heartbeatRequest } from '../../../../src/sink/kafka/protocol/heartbeat.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

describe('Heartbeat', () => {
  it('is byte for byte what both clients send', async () => {
    const ours = Buffer.concat(heartbeatRequest('shöp', 7, 'member-1').encode())
    expect(ours).toEqual(heartbeatV2.createRequest('shöp', 7, 'member-1').buffer)
    const fields = { groupId: 'shöp', groupGenerationId: 7, memberId: 'member-1' }
    expect(ours).toEqual(await kafkaJsBody('heartbeat/v2', fields))
    expect(heartbeatApi).toEqual({ apiKey: heartbeatV2.api.key, apiVersion: heartbeatV2.api.version })
  })

  it.each([0, 27])('is answered with code %i', code => {
    const bytes = Writer.create().appendInt32(0).appendInt16(code).buffer
    if (code === 0) expect(heartbeatV2.parseResponse(1, 12, 2, Reader.from(bytes))).toMatchObject({ errorCode: 0 })
    expect(heartbeatRequest('shöp', 7, 'member-1').parse(bytes)).toBe(code)
  })
})
