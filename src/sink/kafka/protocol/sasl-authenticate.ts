import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { BrokerError } from './broker-error.ts'
import type { Request } from './request.ts'

/** SaslAuthenticate, version 0 since Kafka 1.0; version 1, since 2.2, also says how long the login lasts (KIP-368). */
export const saslAuthenticateApi = { apiKey: 36, apiVersion: 1 }

export interface SaslAnswer {
  readonly bytes: Buffer
  /** After so long the broker closes the connection unless it is logged in anew; 0: never. */
  readonly sessionMs: number
}

/** One message of a login. The parser throws BrokerError with the broker's own words. */
export function saslAuthenticateRequest(bytes: Buffer, apiVersion: 0 | 1): Request<SaslAnswer> {
  const { apiKey } = saslAuthenticateApi
  const encode = () => [new BodyWriter().byteArray(bytes).bytes]
  return { apiKey, apiVersion, encode, parse: answer => parseSaslAuthenticate(answer, apiVersion) }
}

function parseSaslAuthenticate(answer: Buffer, apiVersion: 0 | 1): SaslAnswer {
  const reader = new AnswerReader(answer)
  const errorCode = reader.int16()
  const message = reader.nullableString()
  if (errorCode !== 0) throw new BrokerError(errorCode, message ?? undefined)
  return { bytes: reader.bytes(), sessionMs: apiVersion === 1 ? Number(reader.int64()) : 0 }
}
