import { Configuration } from '../../../errors.ts'

/**
 * One login as the client leads it: what it yields goes to the broker as it is, and the broker's answer comes back into
 * it. It ends when it has nothing more to say, and throws a Fault where it cannot go on.
 */
export type Dialogue = AsyncGenerator<Buffer, void, Buffer>

/** A way to log in at Kafka (SASL), the same for every client and connection. */
export interface Login {
  /** As SaslHandshake names it, such as `SCRAM-SHA-512`. */
  readonly mechanism: string
  /** Who logs in, for messages: `user cdc`. Never a secret. */
  readonly who: string
  /** As whom Kafka's authorizer knows it, without `User:`; undefined: not known here, or its rights are not Kafka's ACLs. */
  readonly principal?: string | undefined
  /**
   * A dialogue with the credentials as they are now: files are read again and tokens fetched when they have expired.
   * An aborted `signal` ends its waiting.
   */
  begin(signal: AbortSignal): Dialogue
}

/** What is said where a login fails. `why` is the broker's or our own text; it must not quote credentials. */
export function loginRefused({ who, mechanism }: Login, why: string, cause?: unknown): Configuration {
  return new Configuration('SINK_AUTH_FAILED', `Kafka: login of ${who} by SASL ${mechanism}: ${why}`, { cause })
}
