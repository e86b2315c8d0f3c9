import { leaveGroupV2, Reader, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { leaveGroupApi, leaveGroupRequest } from '../../../../src/sink/kafka/protocol/leave-group.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

describe('LeaveGroup', () => {
  it('is byte for byte what kafkajs sends', async () => {
    const ours = Buffer.concat(leaveGroupRequest('shöp', 'member-1').encode())
    // platformatic sends for version 2 what belongs into version 3.
    expect(ours).toEqual(await kafkaJsBody('leaveGroup/v2', { groupId: 'shöp', memberId: 'member-1' }))
    expect(leaveGroupApi).toEqual({ apiKey: leaveGroupV2.api.key, apiVersion: leaveGroupV2.api.version })
  })

  it.each([0, 25])('is answered with code %i', code => {
    const bytes = Writer.create().appendInt32(0).appendInt16(code).buffer
    if (code === 0) expect(leaveGroupV2.parseResponse(1, 13, 2, Reader.from(bytes))).toMatchObject({ errorCode: 0 })
    expect(leaveGroupRequest('shöp', 'member-1').parse(bytes)).toBe(code)
  })
})
