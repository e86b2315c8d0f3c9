import { Retryable } from '../../../../src/errors.ts'
import { faultOf } from '../../../../src/sink/kafka/classify.ts'
import { BrokerError } from '../../../../src/sink/kafka/protocol/broker-error.ts'

/** After so long without an answer a connection of the model is given up. */
export const requestTimeoutMs = 1_500

/** No answer. */
export function unavailable(message: string): Retryable {
  return new Retryable('SINK_UNAVAILABLE', message)
}

/** An answer with an error, as the wire gives it. */
export function refusal(code: number): Error {
  return faultOf(new BrokerError(code), 'ask the model')
}
