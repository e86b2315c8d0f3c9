import type { ProducerIdentity } from '../wire.ts'
import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { refusedRequest } from './broker-error.ts'
import type { Request } from './request.ts'

/** InitProducerId, version 1: the last that is not flexible. Brokers have it since Kafka 2.0. */
export const initProducerIdApi = { apiKey: 22, apiVersion: 1 }
/** Without transactional id there is no transaction that could time out; this is what the Java client sends. */
const noTimeoutMs = 2 ** 31 - 1

/** What is to be asked of the coordinator of a transactional id. */
export interface Fence {
  readonly transactionalId: string
  /** After so long the coordinator aborts a transaction that was neither committed nor aborted. */
  readonly transactionTimeoutMs: number
}

/**
 * An identity. With a fence every earlier identity of that transactional id is refused from then on, and its open
 * transaction aborted; while that goes on, the answer is 51 (CONCURRENT_TRANSACTIONS). The parser throws BrokerError
 * for an error that the broker answers.
 */
export function initProducerIdRequest(fence?: Fence): Request<ProducerIdentity> {
  // transactional_id transaction_timeout_ms
  const encode = () => [
    new BodyWriter().string(fence?.transactionalId ?? null).int32(fence?.transactionTimeoutMs ?? noTimeoutMs).bytes,
  ]
  return { ...initProducerIdApi, encode, parse: answer => parseInitProducerId(answer, fence?.transactionalId) }
}

function parseInitProducerId(answer: Buffer, transactionalId: string | undefined): ProducerIdentity {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const errorCode = reader.int16()
  const identity = { producerId: reader.int64(), producerEpoch: reader.int16() }
  if (errorCode !== 0) throw refusedRequest('InitProducerId', errorCode, transactionalId)
  return identity
}
