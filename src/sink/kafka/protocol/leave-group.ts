import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import type { Request } from './request.ts'

/** LeaveGroup, version 2: of one member, not flexible. Brokers have it since Kafka 2.0. */
export const leaveGroupApi = { apiKey: 13, apiVersion: 2 }

/** Answered with Kafka's error code. */
export function leaveGroupRequest(groupId: string, memberId: string): Request<number> {
  // group_id member_id
  const encode = () => [new BodyWriter().string(groupId).string(memberId).bytes]
  return { ...leaveGroupApi, encode, parse: parseErrorCode }
}

function parseErrorCode(answer: Buffer): number {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  return reader.int16()
}
