import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { refusedRequest } from './broker-error.ts'
import type { BrokerAddress } from './metadata.ts'
import type { Request } from './request.ts'

/** FindCoordinator, version 2: the last that is not flexible. Brokers have it since Kafka 2.0. */
export const findCoordinatorApi = { apiKey: 10, apiVersion: 2 }

/** Of a consumer or worker group, or of a transactional id. */
export type CoordinatorKind = 'group' | 'transaction'
const keyTypes: Readonly<Record<CoordinatorKind, number>> = { group: 0, transaction: 1 }

export interface CoordinatorAddress extends BrokerAddress {
  readonly nodeId: number
}

/** Which broker coordinates `key`. The parser throws BrokerError, mostly 15 (COORDINATOR_NOT_AVAILABLE): ask again. */
export function findCoordinatorRequest(kind: CoordinatorKind, key: string): Request<CoordinatorAddress> {
  // key key_type
  const encode = () => [new BodyWriter().string(key).int8(keyTypes[kind]).bytes]
  return { ...findCoordinatorApi, encode, parse: answer => parseFindCoordinator(answer, key) }
}

function parseFindCoordinator(answer: Buffer, key: string): CoordinatorAddress {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const errorCode = reader.int16()
  reader.nullableString() // error_message: the code says it.
  const address = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
  if (errorCode !== 0) throw refusedRequest('FindCoordinator', errorCode, key)
  return address
}
