import { joinGroupV4, Reader, Writer } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { joinGroupApi, joinGroupRequest } from '../../../../src/sink/kafka/protocol/join-group.ts'
import { kafkaJsBody } from './kafkajs-request.ts'

const join = {
  groupId: 'mongo2kafka.shöp.workers',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 20_000,
  memberId: 'member-1',
  protocolType: 'mongo2kafka',
  protocolName: '1-abc',
  metadata: Buffer.from('{"owned":[1]}'),
}

function answerOf(errorCode: number, generation: number, leader: string, members: readonly string[]): Buffer {
  const writer = Writer.create().appendInt32(0).appendInt16(errorCode).appendInt32(generation)
  writer.appendString('1-abc', false).appendString(leader, false).appendString('member-1', false)
  writer.appendArray(
    [...members],
    (w, memberId) => w.appendString(memberId, false).appendBytes(Buffer.from(`of ${memberId}`), false),
    false,
    false,
  )
  return writer.buffer
}

describe('JoinGroup', () => {
  it('is byte for byte what both clients send', async () => {
    const ours = Buffer.concat(joinGroupRequest(join).encode())
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, memberId, protocolType, protocolName, metadata } = join
    const protocols = [{ name: protocolName, metadata }]
    const request = joinGroupV4.createRequest
    const theirs = request(groupId, sessionTimeoutMs, rebalanceTimeoutMs, memberId, null, protocolType, protocols)
    expect(ours).toEqual(theirs.buffer)
    const timeouts = { sessionTimeout: sessionTimeoutMs, rebalanceTimeout: rebalanceTimeoutMs }
    const fields = { groupId, ...timeouts, memberId, protocolType, groupProtocols: protocols }
    expect(ours).toEqual(await kafkaJsBody('joinGroup/v4', fields))
    expect(joinGroupApi).toEqual({ apiKey: joinGroupV4.api.key, apiVersion: joinGroupV4.api.version })
  })

  it('is answered with the members, for the leader', () => {
    const bytes = answerOf(0, 7, 'member-1', ['member-1', 'member-2'])
    expect(joinGroupRequest(join).parse(bytes)).toEqual({
      errorCode: 0,
      generation: 7,
      leaderId: 'member-1',
      memberId: 'member-1',
      members: ['member-1', 'member-2'].map(memberId => ({ memberId, metadata: Buffer.from(`of ${memberId}`) })),
    })
    expect(joinGroupV4.parseResponse(1, 11, 4, Reader.from(bytes))).toMatchObject({ generationId: 7 })
  })

  it('or with an error, as an answer', () => {
    expect(joinGroupRequest(join).parse(answerOf(79, -1, '', []))).toMatchObject({
      errorCode: 79,
      memberId: 'member-1',
    })
  })

  it('keeps nothing of the answer', () => {
    const bytes = answerOf(0, 7, 'member-1', ['member-1'])
    const { members } = joinGroupRequest(join).parse(bytes)
    bytes.fill(0)
    expect(members[0]?.metadata.toString()).toBe('of member-1')
  })
})
