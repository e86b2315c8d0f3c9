import {
  AuthenticationError,
  NetworkError,
  ProtocolError,
  ResponseError,
  TimeoutError,
  UserError,
} from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { Retryable } from '../../../src/errors.ts'
import { faultOf, protocolCode, reachabilityFaultOf, verdictOf } from '../../../src/sink/kafka/classify.ts'

/** Errors shaped as kafkajs throws them. */
function kafkaError(name: string, fields: object = {}, message = 'words that mean nothing'): Error {
  return Object.assign(new Error(message), { name, ...fields })
}

describe('the classification of Kafka errors', () => {
  it.each([
    [10, 'SINK_REJECTED', 'Configuration'],
    [29, 'SINK_UNAUTHORIZED', 'Configuration'],
    [31, 'SINK_UNAUTHORIZED', 'Configuration'],
    [58, 'SINK_AUTH_FAILED', 'Configuration'],
    [40, 'SINK_REJECTED', 'Configuration'],
    [87, 'SINK_REJECTED', 'Configuration'],
    [90, 'SINK_FENCED', 'Fenced'],
    [6, 'SINK_UNAVAILABLE', 'Retryable'],
    [19, 'SINK_UNAVAILABLE', 'Retryable'],
    [45, 'SINK_UNAVAILABLE', 'Retryable'],
    [47, 'SINK_UNAVAILABLE', 'Retryable'],
    [59, 'SINK_UNAVAILABLE', 'Retryable'],
    [-1, 'SINK_UNAVAILABLE', 'Retryable'],
    [4_711, 'SINK_UNAVAILABLE', 'Retryable'],
  ])('code %i is %s', (code, word, name) => {
    const bare = kafkaError('KafkaJSProtocolError', { code, type: 'SOME_TYPE' })
    const wrapped = kafkaError('KafkaJSNumberOfRetriesExceeded', { cause: bare })
    const aggregate = kafkaError('KafkaJSAggregateError', { errors: [bare] })
    for (const error of [bare, wrapped, aggregate]) {
      expect(faultOf(error, 'try')).toMatchObject({ code: word, name, cause: error })
      expect(protocolCode(error)).toBe(code)
    }
  })

  it('knows a record that is too large by both codes', () => {
    expect([10, 18].map(code => verdictOf({ code }))).toEqual(['too-large', 'too-large'])
  })

  it('tells wrong credentials and certificates from an absent broker', () => {
    const sasl = kafkaError('KafkaJSSASLAuthenticationError')
    const certificate = kafkaError('KafkaJSConnectionError', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    const refused = kafkaError('KafkaJSConnectionError', { code: 'ECONNREFUSED' })
    const exceeded = kafkaError('KafkaJSNumberOfRetriesExceeded', { cause: refused })
    expect(reachabilityFaultOf(sasl, ['b:1']).code).toBe('SINK_AUTH_FAILED')
    expect(reachabilityFaultOf(certificate, ['b:1']).code).toBe('SINK_AUTH_FAILED')
    expect(reachabilityFaultOf(exceeded, ['b:1'])).toMatchObject({ code: 'SINK_UNREACHABLE', name: 'Retryable' })
  })

  it.each([
    [10, 'SINK_REJECTED'],
    [14, 'SINK_UNAVAILABLE'],
    [33, 'SINK_AUTH_FAILED'],
    [34, 'SINK_AUTH_FAILED'],
    [58, 'SINK_AUTH_FAILED'],
  ])('code %i of @platformatic/kafka is %s', (code, word) => {
    const protocol = new ProtocolError(code)
    const response = new ResponseError(36, 2, { '/': [code, null] }, {})
    const authentication = new AuthenticationError('SASL authentication failed.', { cause: response })
    const network = new NetworkError('Connection failed.', { cause: authentication })
    for (const error of [protocol, response, authentication, network]) {
      expect(faultOf(error, 'try')).toMatchObject({ code: word, cause: error })
      expect(protocolCode(error)).toBe(code)
    }
  })

  it('takes the innermost of what @platformatic/kafka wraps', () => {
    const network = (cause: Error) => new NetworkError('Connection failed.', { cause })
    const authentication = (cause?: Error) => new AuthenticationError('No mechanism.', cause && { cause })
    const reset = Object.assign(new Error('disconnected'), { code: 'ECONNRESET' })
    const untrusted = Object.assign(new Error('untrusted'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })
    expect(verdictOf(network(authentication()))).toBe('auth-failed')
    expect(verdictOf(network(authentication(new NetworkError('Connection closed'))))).toBe('unavailable')
    expect(verdictOf(network(authentication(new TimeoutError('Request timed out'))))).toBe('unavailable')
    expect(verdictOf(network(new UserError('Broker requires TLS.')))).toBe('auth-failed')
    expect(verdictOf(network(new UserError('TLS handshake failed.', { cause: reset })))).toBe('unavailable')
    expect(verdictOf(network(untrusted))).toBe('auth-failed')
    expect(verdictOf(network(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' })))).toBe('unavailable')
  })

  it('says in its message what is within, once', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' })
    const { message } = faultOf(new NetworkError('Connection to b:9 failed.', { cause: refused }), 'connect')
    expect(message).toBe('Kafka: connect: Connection to b:9 failed.: connect ECONNREFUSED 127.0.0.1:9')
    const exceeded = kafkaError('KafkaJSNumberOfRetriesExceeded', { cause: refused }, refused.message)
    expect(faultOf(exceeded, 'send').message).toBe('Kafka: send: connect ECONNREFUSED 127.0.0.1:9')
  })

  it('passes faults on, and survives whatever is thrown', () => {
    const fault = new Retryable('SINK_UNAVAILABLE', 'known')
    expect(faultOf(fault, 'try')).toBe(fault)
    const loop: { cause?: unknown } = {}
    loop.cause = loop
    for (const odd of [loop, null, undefined, 'text', 5, new TypeError('null is not an object')]) {
      expect(faultOf(odd, 'try')).toMatchObject({ code: 'SINK_UNAVAILABLE' })
    }
  })

  it('does not look at the message', () => {
    const lying = kafkaError('KafkaJSError', {}, 'MESSAGE_TOO_LARGE SASL authentication failed')
    expect(verdictOf(lying)).toBe('unavailable')
  })
})
