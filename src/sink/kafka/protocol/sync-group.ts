import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import type { Request } from './request.ts'

/** SyncGroup, version 2: not flexible, without static members. Brokers have it since Kafka 2.0. */
export const syncGroupApi = { apiKey: 14, apiVersion: 2 }

export interface SyncGroup {
  readonly groupId: string
  readonly generation: number
  readonly memberId: string
  /** From the leader: what each member gets. From the others: nothing. */
  readonly assignments: ReadonlyMap<string, Buffer>
}

export interface SyncedGroup {
  /** With one that is not 0, the assignment has no meaning. */
  readonly errorCode: number
  /** A copy; empty where the leader gave the member nothing. */
  readonly assignment: Buffer
}

/** The broker answers when the leader has sent its own. Errors are in the answer. */
export function syncGroupRequest(sync: SyncGroup): Request<SyncedGroup> {
  return { ...syncGroupApi, encode: () => [encodeSyncGroup(sync)], parse: parseSyncGroup }
}

/** group_id generation_id member_id [member_id assignment] */
function encodeSyncGroup({ groupId, generation, memberId, assignments }: SyncGroup): Buffer {
  const body = new BodyWriter().string(groupId).int32(generation).string(memberId)
  return body.array([...assignments], ([of, assignment]) => body.string(of).byteArray(assignment)).bytes
}

function parseSyncGroup(answer: Buffer): SyncedGroup {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  return { errorCode: reader.int16(), assignment: reader.bytes() }
}
