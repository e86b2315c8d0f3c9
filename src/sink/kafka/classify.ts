import { Configuration, Fault, Fenced, Retryable } from '../../errors.ts'
import type { Denial } from './acl.ts'

/** What the loop must do about an error of Kafka (design decision 5), before it is known which record it concerns. */
export type Verdict = 'too-large' | 'rejected' | 'unauthorized' | 'auth-failed' | 'fenced' | 'unavailable'

/** Kafka's protocol error codes; every other code is worth another try with a new producer. */
const verdictByCode: Readonly<Record<number, Verdict>> = {
  10: 'too-large', // MESSAGE_TOO_LARGE
  18: 'too-large', // RECORD_LIST_TOO_LARGE
  17: 'rejected', // INVALID_TOPIC_EXCEPTION
  21: 'rejected', // INVALID_REQUIRED_ACKS
  32: 'rejected', // INVALID_TIMESTAMP: a clock is wrong by more than the topic allows
  35: 'rejected', // UNSUPPORTED_VERSION
  37: 'rejected', // INVALID_PARTITIONS
  38: 'rejected', // INVALID_REPLICATION_FACTOR
  39: 'rejected', // INVALID_REPLICA_ASSIGNMENT
  40: 'rejected', // INVALID_CONFIG
  42: 'rejected', // INVALID_REQUEST
  43: 'rejected', // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44: 'rejected', // POLICY_VIOLATION
  76: 'rejected', // UNSUPPORTED_COMPRESSION_TYPE
  87: 'rejected', // INVALID_RECORD: a compacted topic and a record without key, or a broker-side validation
  29: 'unauthorized', // TOPIC_AUTHORIZATION_FAILED
  30: 'unauthorized', // GROUP_AUTHORIZATION_FAILED
  31: 'unauthorized', // CLUSTER_AUTHORIZATION_FAILED
  50: 'rejected', // INVALID_TRANSACTION_TIMEOUT: longer than transaction.max.timeout.ms of the brokers
  53: 'unauthorized', // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  65: 'unauthorized', // DELEGATION_TOKEN_AUTHORIZATION_FAILED
  33: 'auth-failed', // UNSUPPORTED_SASL_MECHANISM
  34: 'auth-failed', // ILLEGAL_SASL_STATE: the port does not want SASL
  58: 'auth-failed', // SASL_AUTHENTICATION_FAILED
  90: 'fenced', // PRODUCER_FENCED
  // 47 INVALID_PRODUCER_EPOCH stays a retry: without a transactional id nobody can take over, so it means that the
  // broker lost our producer's state. With one it is a fence, see producer/refusals.ts.
}

/** Node's codes of a certificate or a TLS handshake that will not get better by itself. */
const tlsCodes = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_UNTRUSTED',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ERR_SSL_WRONG_VERSION_NUMBER',
])
/** The same from the other side: alerts of a broker that wants another client certificate. OpenSSL has renamed them. */
const certificateAlert =
  /^ERR_SSL_(?:SSLV3|SSL\/TLS|TLSV1|TLSV13)_ALERT_(?:UNKNOWN_CA|HANDSHAKE_FAILURE|BAD_CERTIFICATE|ACCESS_DENIED|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(?:REQUIRED|EXPIRED|REVOKED|UNKNOWN))$/

/**
 * What an error of @platformatic/kafka says by its code. It wraps either in the other, a wrong password in a network
 * error and a connection that broke during the handshake in an authentication error: the innermost is right.
 */
const verdictByLibraryCode: Readonly<Record<string, Verdict>> = {
  PLT_KFK_AUTHENTICATION: 'auth-failed',
  PLT_KFK_USER: 'auth-failed', // The port speaks TLS and we do not; or the other way round, which is a
  ECONNRESET: 'unavailable', // reset during the handshake, and may as well be a broker that has just died.
  PLT_KFK_NETWORK: 'unavailable', // Its timeouts too.
}
const causeLimit = 8

/**
 * The fields of the clients' errors that say something; the classes say little and the messages change. kafkajs has
 * Kafka's code in `code`, @platformatic/kafka in `apiCode`.
 */
interface KafkaError {
  readonly name?: unknown
  readonly code?: unknown
  readonly apiCode?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly errors?: unknown
  /** Of errors that we make ourselves. */
  readonly denial?: Denial | undefined
}

/** The error itself and what the client wrapped: an exceeded retry, an aggregate of one topic. Outermost first. */
function* chain(error: unknown): Generator<KafkaError> {
  let next: unknown = error
  for (let depth = 0; depth < causeLimit && typeof next === 'object' && next !== null; depth += 1) {
    const link: KafkaError = next
    yield link
    next = Array.isArray(link.errors) && link.errors.length > 0 ? link.errors[0] : link.cause
  }
}

function protocolCodeOf({ code, apiCode }: KafkaError): number | undefined {
  if (typeof code === 'number') return code
  return typeof apiCode === 'number' ? apiCode : undefined
}

/** Kafka's error code, where a broker gave one. */
export function protocolCode(error: unknown): number | undefined {
  for (const link of chain(error)) {
    const code = protocolCodeOf(link)
    if (code !== undefined) return code
  }
  return undefined
}

/** What an authorizer refused, where whoever asked has said it. */
export function denialIn(error: unknown): Denial | undefined {
  for (const { denial } of chain(error)) if (denial !== undefined) return denial
  return undefined
}

/** By Kafka's code, the clients' error names and codes and Node's error code, never by message text. */
export function verdictOf(error: unknown): Verdict {
  let verdict: Verdict = 'unavailable'
  for (const link of chain(error)) {
    const { name, code } = link
    const protocol = protocolCodeOf(link)
    if (protocol !== undefined) return verdictByCode[protocol] ?? 'unavailable'
    if (name === 'KafkaJSSASLAuthenticationError') return 'auth-failed'
    if (typeof code === 'string' && (tlsCodes.has(code) || certificateAlert.test(code))) return 'auth-failed'
    if (typeof code === 'string') verdict = verdictByLibraryCode[code] ?? verdict
  }
  return verdict
}

/** The message, and of what it wraps those that it does not repeat. */
function textOf(error: unknown): string {
  const texts: string[] = []
  for (const { message } of chain(error)) {
    if (typeof message === 'string' && !texts.some(text => text.includes(message))) texts.push(message)
  }
  return texts.length > 0 ? texts.join(': ') : String(error)
}

/**
 * The fault for an error of `action` ("create topic x"). A record that is too large is `rejected` here: only the
 * sink knows whether one record was to blame. A fault passes through, also out of a client's own error.
 */
export function faultOf(error: unknown, action: string): Fault {
  const fault = chain(error).find(link => link instanceof Fault) // A client may wrap what our own login said.
  if (fault !== undefined) return fault
  const message = `Kafka: ${action}: ${textOf(error)}`
  switch (verdictOf(error)) {
    case 'auth-failed':
      return new Configuration('SINK_AUTH_FAILED', message, { cause: error })
    case 'unauthorized':
      return new Configuration('SINK_UNAUTHORIZED', message, { cause: error })
    case 'rejected':
    case 'too-large':
      return new Configuration('SINK_REJECTED', message, { cause: error })
    case 'fenced':
      return new Fenced('SINK_FENCED', message, { cause: error })
    case 'unavailable':
      return new Retryable('SINK_UNAVAILABLE', message, { cause: error })
  }
}

/** At start, what cannot be reached yet has its own code and remedy. */
export function reachabilityFaultOf(error: unknown, brokers: readonly string[]): Fault {
  const fault = faultOf(error, `connect to ${brokers.join(', ')}`)
  return fault.code === 'SINK_UNAVAILABLE' ? new Retryable('SINK_UNREACHABLE', fault.message, { cause: error }) : fault
}
