import { AnswerReader } from '../../src/sink/kafka/protocol/answer-reader.ts'
import { BodyWriter } from '../../src/sink/kafka/protocol/body-writer.ts'
import { findCoordinatorApi } from '../../src/sink/kafka/protocol/find-coordinator.ts'
import { heartbeatApi } from '../../src/sink/kafka/protocol/heartbeat.ts'
import { joinGroupApi } from '../../src/sink/kafka/protocol/join-group.ts'
import { leaveGroupApi } from '../../src/sink/kafka/protocol/leave-group.ts'
import { syncGroupApi } from '../../src/sink/kafka/protocol/sync-group.ts'
import type { JoinAnswer, Standing } from '../../src/workers/group.ts'
import type { ModelCoordinator } from '../workers/model-coordinator.ts'

type Reply = (answer: Buffer) => void

export const brokerAddress = { host: 'broker', port: 9092 }

const apiVersionsKey = 18
const apis = [findCoordinatorApi, joinGroupApi, heartbeatApi, leaveGroupApi, syncGroupApi]
const memberIdRequired = 79
const codes: Readonly<Record<Standing, number>> = { member: 0, old: 22, gone: 25, rebalance: 27 }

type Serve = (coordinator: ModelCoordinator, request: AnswerReader, reply: Reply) => void

const serving: ReadonlyMap<number, Serve> = new Map<number, Serve>([
  [apiVersionsKey, (_coordinator, _request, reply) => reply(versions())],
  [findCoordinatorApi.apiKey, (_coordinator, _request, reply) => reply(place())],
  [joinGroupApi.apiKey, join],
  [syncGroupApi.apiKey, sync],
  [heartbeatApi.apiKey, heartbeat],
  [leaveGroupApi.apiKey, leave],
])

/** A broker that coordinates one group, by the bytes of its protocol: answers may come much later. */
export function answer(coordinator: ModelCoordinator, apiKey: number, body: Buffer, reply: Reply): void {
  serving.get(apiKey)!(coordinator, new AnswerReader(body), reply)
}

function versions(): Buffer {
  const body = new BodyWriter().int16(0)
  return body.array(apis, ({ apiKey, apiVersion }) => body.int16(apiKey).int16(0).int16(apiVersion)).bytes
}

function place(): Buffer {
  const { host, port } = brokerAddress
  return new BodyWriter().int32(0).int16(0).string(null).int32(1).string(host).int32(port).bytes
}

function heartbeat(coordinator: ModelCoordinator, request: AnswerReader, reply: Reply): void {
  request.string() // group_id
  const member = { generation: request.int32(), memberId: request.string() }
  reply(standing(coordinator.heartbeat(member)))
}

function leave(coordinator: ModelCoordinator, request: AnswerReader, reply: Reply): void {
  request.string() // group_id
  coordinator.leave(request.string())
  reply(standing('member'))
}

function standing(of: Standing): Buffer {
  return new BodyWriter().int32(0).int16(codes[of]).bytes
}

function join(coordinator: ModelCoordinator, request: AnswerReader, reply: Reply): void {
  request.string() // group_id
  request.skip(8) // session_timeout_ms rebalance_timeout_ms
  const memberId = request.string()
  request.string() // protocol_type
  const [protocol] = request.array(() => ({ name: request.string(), metadata: request.bytes() }))
  coordinator.join(memberId, protocol!.metadata, answer => reply(joined(answer)))
}

function joined(answer: JoinAnswer): Buffer {
  const { outcome } = answer
  const code = outcome === 'joined' ? 0 : outcome === 'named' ? memberIdRequired : codes[outcome]
  const { generation, members } = outcome === 'joined' ? answer : { generation: -1, members: undefined }
  const memberId = 'memberId' in answer ? answer.memberId : ''
  const leader = members === undefined ? 'another' : memberId
  const body = new BodyWriter().int32(0).int16(code).int32(generation).string(null).string(leader).string(memberId)
  return body.array(members ?? [], each => body.string(each.memberId).byteArray(each.metadata)).bytes
}

function sync(coordinator: ModelCoordinator, request: AnswerReader, reply: Reply): void {
  request.string() // group_id
  const member = { generation: request.int32(), memberId: request.string() }
  const assignments = new Map(request.array(() => [request.string(), request.bytes()] as const))
  coordinator.sync(member, assignments, answer => {
    const code = answer.outcome === 'assigned' ? 0 : codes[answer.outcome]
    const assignment = answer.outcome === 'assigned' ? answer.assignment : Buffer.alloc(0)
    reply(new BodyWriter().int32(0).int16(code).byteArray(assignment).bytes)
  })
}
