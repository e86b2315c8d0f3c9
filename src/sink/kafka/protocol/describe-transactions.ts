import type { TransactionDescription } from '../wire.ts'
import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { refusedRequest } from './broker-error.ts'
import type { Request } from './request.ts'

/** DescribeTransactions (KIP-664), version 0, which is flexible. Brokers have it since Kafka 3.0. */
export const describeTransactionsApi = { apiKey: 65, apiVersion: 0 }

/**
 * What the coordinator of one transactional id knows of it; nothing is changed by asking. The parser throws
 * BrokerError for an error that the broker answers: 105 (TRANSACTIONAL_ID_NOT_FOUND) where it has never heard of it.
 */
export function describeTransactionRequest(transactionalId: string): Request<TransactionDescription> {
  // The request header of flexible versions ends with tagged fields, which frames.ts does not write.
  const encode = () => [
    // transactional_ids
    new BodyWriter().noTaggedFields().compactLength(1).compactString(transactionalId).noTaggedFields().bytes,
  ]
  return { ...describeTransactionsApi, encode, parse: answer => parseDescribeTransactions(answer, transactionalId) }
}

function parseDescribeTransactions(answer: Buffer, transactionalId: string): TransactionDescription {
  const reader = new AnswerReader(answer)
  reader.skipTaggedFields() // Of the header.
  reader.skip(4) // throttle_time_ms
  reader.unsignedVarint() // Of transaction_states there is one, as was asked for.
  const errorCode = reader.int16()
  reader.compactString() // transactional_id
  const state = reader.compactString()
  reader.skip(4 + 8) // transaction_timeout_ms transaction_start_time_ms
  const identity = { producerId: reader.int64(), producerEpoch: reader.int16() }
  if (errorCode !== 0) throw refusedRequest('DescribeTransactions', errorCode, transactionalId)
  return { state, ...identity } // The partitions that follow are of no interest.
}
