import type { TransactionalIdentity } from '../wire.ts'
import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { refusedRequest } from './broker-error.ts'
import type { Request } from './request.ts'

/** EndTxn, version 1: brokers have it since Kafka 2.0. Version 2 answers 90 (PRODUCER_FENCED) in place of 47. */
export const endTxnApi = { apiKey: 26, apiVersion: 1 }

/**
 * Ends the open transaction. Once it is answered without error the outcome is durable; the coordinator writes the
 * markers that make it visible after that, and answers 51 (CONCURRENT_TRANSACTIONS) until it has. The parser throws
 * BrokerError.
 */
export function endTxnRequest(identity: TransactionalIdentity, outcome: 'commit' | 'abort'): Request<void> {
  return {
    ...endTxnApi,
    encode: () => [encodeEndTxn(identity, outcome)],
    parse: answer => parseEndTxn(answer, identity),
  }
}

/** transactional_id producer_id producer_epoch committed */
function encodeEndTxn(identity: TransactionalIdentity, outcome: 'commit' | 'abort'): Buffer {
  const { transactionalId, producerId, producerEpoch } = identity
  const writer = new BodyWriter().string(transactionalId).int64(producerId).int16(producerEpoch)
  return writer.boolean(outcome === 'commit').bytes
}

function parseEndTxn(answer: Buffer, { transactionalId }: TransactionalIdentity): void {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const errorCode = reader.int16()
  if (errorCode !== 0) throw refusedRequest('EndTxn', errorCode, transactionalId)
}
