import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import type { Request } from './request.ts'

/** Heartbeat, version 2: not flexible, without static members. Brokers have it since Kafka 2.0. */
export const heartbeatApi = { apiKey: 12, apiVersion: 2 }

/** Answered with Kafka's error code, 0: the member is in this generation of the group, which is the newest. */
export function heartbeatRequest(groupId: string, generation: number, memberId: string): Request<number> {
  // group_id generation_id member_id
  const encode = () => [new BodyWriter().string(groupId).int32(generation).string(memberId).bytes]
  return { ...heartbeatApi, encode, parse: parseErrorCode }
}

function parseErrorCode(answer: Buffer): number {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  return reader.int16()
}
