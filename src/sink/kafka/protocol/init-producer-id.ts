import type { ProducerIdentity } from '../wire.ts'
import { AnswerReader } from './answer-reader.ts'
import { BrokerError } from './broker-error.ts'
import type { Request } from './request.ts'

/** InitProducerId, version 1: the last that is not flexible. Brokers have it since Kafka 2.0. */
export const initProducerIdApi = { apiKey: 22, apiVersion: 1 }
/** Without transactional id there is no transaction that could time out; this is what the Java client sends. */
const noTimeoutMs = 2 ** 31 - 1

/** An identity without transactional id. The parser throws BrokerError for an error that the broker answers. */
export function initProducerIdRequest(): Request<ProducerIdentity> {
  return { ...initProducerIdApi, encode: () => [encodeInitProducerId()], parse: parseInitProducerId }
}

/** transactional_id transaction_timeout_ms */
function encodeInitProducerId(): Buffer {
  const body = Buffer.allocUnsafe(6)
  body.writeInt16BE(-1, 0)
  body.writeInt32BE(noTimeoutMs, 2)
  return body
}

function parseInitProducerId(answer: Buffer): ProducerIdentity {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const errorCode = reader.int16()
  const identity = { producerId: reader.int64(), producerEpoch: reader.int16() }
  if (errorCode !== 0) throw new BrokerError(errorCode)
  return identity
}
