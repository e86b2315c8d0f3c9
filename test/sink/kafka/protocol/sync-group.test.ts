import { Reader, syncGroupV2, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { syncGroupApi, syncGroupRequest } from '../../../../src/sink/kafka/protocol/sync-group.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const [groupId, generation, memberId] = ['mongo2kafka.shöp.workers', 7, 'member-1']

describe('SyncGroup', () => {
  it.each([
    ['the leader', ['member-1', 'member-2']],
    ['another', []],
  ])('is byte for byte what both clients send for %s', async (_, members) => {
    const assignments = new Map(members.map(member => [member, Buffer.from(`to ${member}`)]))
    const ours = Buffer.concat(syncGroupRequest({ groupId, generation, memberId, assignments }).encode())
    const theirs = [...assignments].map(([of, assignment]) => ({ memberId: of, assignment }))
    expect(ours).toEqual(syncGroupV2.createRequest(groupId, generation, memberId, null, null, null, theirs).buffer)
    const groupAssignment = [...assignments].map(([of, bytes]) => ({ memberId: of, memberAssignment: bytes }))
    expect(ours).toEqual(
      await kafkaJsBody('syncGroup/v2', { groupId, generationId: generation, memberId, groupAssignment }),
    )
    expect(syncGroupApi).toEqual({ apiKey: syncGroupV2.api.key, apiVersion: syncGroupV2.api.version })
  })

  it.each([0, 27])('is answered with code %i and a copy of the assignment', code => {
    const bytes = Writer.create().appendInt32(0).appendInt16(code).appendBytes(Buffer.from('mine'), false).buffer
    if (code === 0) expect(syncGroupV2.parseResponse(1, 14, 2, Reader.from(bytes))).toMatchObject({ errorCode: 0 })
    const assignments = new Map<string, Buffer>()
    const answer = syncGroupRequest({ groupId, generation, memberId, assignments }).parse(bytes)
    bytes.fill(0)
    expect(answer).toEqual({ errorCode: code, assignment: Buffer.from('mine') })
  })
})
