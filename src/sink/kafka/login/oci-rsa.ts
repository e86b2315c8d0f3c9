import type { Clock } from '../../../clock.ts'
import { type Login, loginRefused } from './login.ts'
import { bytesField, readBytesField, uint64Field } from './protobuf.ts'

/** The key that Oracle Cloud knows this machine, pod or function by, as it is now. */
export interface OciKey {
  /** Such as `ST$eyJ…`: a token, so it is as secret as the key. */
  readonly keyId: string
  /** SHA256withRSA (PKCS #1 v1.5) by the private key of `keyId`. */
  sign(data: Buffer): Promise<Buffer>
}

/** Throws a Fault. */
export type OciKeySource = (signal: AbortSignal) => Promise<OciKey>

export interface OciRsaOptions {
  /** For messages: `the instance principal`. */
  readonly who: string
  readonly key: OciKeySource
  /** OCID of the stream pool. */
  readonly streamPoolId: string
  readonly clock: Clock
}

const challengeLimits = { lowest: 32, highest: 256 }

/**
 * SASL OCI-RSA-SHA256: login to OCI Streaming without a password. We send the key's name and what we want, the broker a
 * challenge, we the time and a signature over challenge, intent and time. Experimental: nobody has run it against OCI.
 *
 * Source: oracle/oci-java-sdk, bmc-addons/bmc-sasl (OciSaslClient.java, oci_sasl_messages.proto).
 */
export function ociRsaLogin({ who, key, streamPoolId, clock }: OciRsaOptions): Login {
  const intent = Buffer.from(`streamPoolId:${streamPoolId}`)
  const login: Login = {
    mechanism: 'OCI-RSA-SHA256',
    who,
    async *begin(signal) {
      const current = await key(signal)
      const answer = yield Buffer.concat([bytesField(1, Buffer.from(current.keyId)), bytesField(2, intent)])
      const challenge = readChallenge(login, answer)
      const seconds = BigInt(Math.floor(clock.nowMs() / 1_000))
      yield await signedResponse(login, current, Buffer.concat([challenge, intent]), seconds)
    },
  }
  return login
}

function readChallenge(login: Login, answer: Buffer): Buffer {
  let challenge: Buffer
  try {
    challenge = readBytesField(answer, 1)
  } catch (cause) {
    throw loginRefused(login, 'the challenge of the broker cannot be read', cause)
  }
  const { lowest, highest } = challengeLimits
  if (challenge.length < lowest || challenge.length > highest) {
    throw loginRefused(login, `the challenge has ${challenge.length} bytes; from ${lowest} to ${highest} are accepted`)
  }
  return challenge
}

async function signedResponse(login: Login, key: OciKey, subject: Buffer, seconds: bigint): Promise<Buffer> {
  const time = Buffer.alloc(8)
  time.writeBigInt64BE(seconds)
  let signature: Buffer
  try {
    signature = await key.sign(Buffer.concat([subject, time]))
  } catch (cause) {
    throw loginRefused(login, 'the private key cannot sign', cause)
  }
  return Buffer.concat([uint64Field(1, seconds), bytesField(2, signature)])
}
