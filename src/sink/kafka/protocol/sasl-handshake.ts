import { AnswerReader } from './answer-reader.ts'
import { BodyWriter } from './body-writer.ts'
import { BrokerError } from './broker-error.ts'
import type { Request } from './request.ts'

/** SaslHandshake, version 1: what follows are SaslAuthenticate requests. Brokers have it since Kafka 1.0. */
export const saslHandshakeApi = { apiKey: 17, apiVersion: 1 }

/** Begins a login. The parser throws BrokerError, for a mechanism that is off with the list of those that are on. */
export function saslHandshakeRequest(mechanism: string): Request<void> {
  return { ...saslHandshakeApi, encode: () => [new BodyWriter().string(mechanism).bytes], parse: parseSaslHandshake }
}

function parseSaslHandshake(answer: Buffer): void {
  const reader = new AnswerReader(answer)
  const errorCode = reader.int16()
  const mechanisms = reader.array(() => reader.string())
  if (errorCode !== 0) {
    const on = mechanisms.length > 0 ? `the broker has ${mechanisms.join(', ')}` : undefined
    throw new BrokerError(errorCode, on)
  }
}
