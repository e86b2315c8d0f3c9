import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import type { Request } from './request.ts'

/**
 * JoinGroup, version 4: the first that names a member before it lets it in (KIP-394), so that an answer which is lost
 * leaves no ghost in the group. Not flexible. Brokers have it since Kafka 2.2.
 */
export const joinGroupApi = { apiKey: 11, apiVersion: 4 }

export interface JoinGroup {
  readonly groupId: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  /** Empty: the broker names one, with error 79 (MEMBER_ID_REQUIRED). */
  readonly memberId: string
  readonly protocolType: string
  readonly protocolName: string
  readonly metadata: Buffer
}

export interface JoinedGroup {
  /** With one that is not 0, only `memberId` has a meaning, and only for 79. */
  readonly errorCode: number
  readonly generation: number
  readonly leaderId: string
  readonly memberId: string
  /** For the leader; nobody for the others. */
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[]
}

/** The broker answers when the new generation is complete. Errors are in the answer. */
export function joinGroupRequest(join: JoinGroup): Request<JoinedGroup> {
  return { ...joinGroupApi, encode: () => [encodeJoinGroup(join)], parse: parseJoinGroup }
}

/** group_id session_timeout_ms rebalance_timeout_ms member_id protocol_type [name metadata] */
function encodeJoinGroup(join: JoinGroup): Buffer {
  const body = new BodyWriter().string(join.groupId).int32(join.sessionTimeoutMs).int32(join.rebalanceTimeoutMs)
  body.string(join.memberId).string(join.protocolType)
  return body.array([join], ({ protocolName, metadata }) => body.string(protocolName).byteArray(metadata)).bytes
}

function parseJoinGroup(answer: Buffer): JoinedGroup {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const errorCode = reader.int16()
  const generation = reader.int32()
  reader.nullableString() // protocol_name: we offer but one.
  const leaderId = reader.string()
  const memberId = reader.string()
  const members = reader.array(() => ({ memberId: reader.string(), metadata: reader.bytes() }))
  return { errorCode, generation, leaderId, memberId, members }
}
