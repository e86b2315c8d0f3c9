import { type KeyObject, randomBytes, randomInt, verify } from 'node:crypto'
import type { Doorkeeper } from './link.ts'
import { askedMechanism, authenticateAnswer, handshakeAnswer, saidIn, saslApis, saslErrors } from './sasl.ts'

export interface OciRsaRules {
  readonly streamPoolId: string
  /** Public keys by their `keyId`. */
  readonly keys: ReadonlyMap<string, KeyObject>
  /** After so long a connection has to log in anew (KIP-368); absent: never. */
  readonly sessionMs?: number
}

const apis = { produce: 0, apiVersions: 18 }
const mechanism = 'OCI-RSA-SHA256'
const clockSkewSeconds = 300

/** OCI-RSA-SHA256 as the broker's side of it is described: what it wants of each connection before Kafka is reached. */
export class OciRsaDoor {
  readonly rules: OciRsaRules
  /** Requests of who is not logged in, or no longer, cost the connection: `turnedAway`. */
  readonly met = { logins: 0, refused: 0, turnedAway: 0 }
  /** How old the session was each time that a connection over which records go logged in anew, milliseconds. */
  readonly renewedAfterMs: number[] = []

  constructor(rules: OciRsaRules) {
    this.rules = rules
  }

  /** For one connection. */
  keeper(): Doorkeeper {
    return new OciRsaKeeper(this)
  }
}

interface Challenged {
  readonly keyId: string
  readonly intent: Buffer
  readonly challenge: Buffer
}

class OciRsaKeeper implements Doorkeeper {
  readonly #door: OciRsaDoor
  /** Since the handshake; with the challenge, once it was given. */
  #login: Challenged | 'begun' | undefined
  #loggedInMs: number | undefined
  #producing = false

  constructor(door: OciRsaDoor) {
    this.#door = door
  }

  meet(apiKey: number, version: number, body: Buffer): Buffer | 'pass' | 'shut' {
    if (apiKey === saslApis.handshake) return this.#shakeHands(body)
    if (apiKey === saslApis.authenticate) return this.#authenticate(version, body)
    if (apiKey === apis.apiVersions && this.#login === undefined) return 'pass'
    if (this.#login !== undefined || this.#ageMs === undefined || this.#ageMs > this.#lastsMs) {
      this.#door.met.turnedAway += 1
      return 'shut'
    }
    if (apiKey === apis.produce) this.#producing = true
    return 'pass'
  }

  /** undefined: not logged in. */
  get #ageMs(): number | undefined {
    return this.#loggedInMs === undefined ? undefined : performance.now() - this.#loggedInMs
  }

  get #lastsMs(): number {
    return this.#door.rules.sessionMs ?? Number.POSITIVE_INFINITY
  }

  #shakeHands(body: Buffer): Buffer {
    const isKnown = askedMechanism(body) === mechanism
    if (isKnown) this.#login = 'begun'
    return handshakeAnswer(isKnown ? saslErrors.none : saslErrors.unsupportedMechanism, mechanism)
  }

  #authenticate(version: number, body: Buffer): Buffer {
    const message = fieldsOf(saidIn(body))
    const login = this.#login
    if (login === undefined)
      return authenticateAnswer(version, { errorCode: saslErrors.illegalState, error: 'no handshake' })
    if (login === 'begun') {
      const challenge = randomBytes(randomInt(32, 257))
      this.#login = { keyId: String(message.get(1)), intent: bytesOf(message.get(2)), challenge }
      const bytes = Buffer.concat([Buffer.from([0x0a]), lengthOf(challenge), challenge])
      return authenticateAnswer(version, { bytes })
    }
    this.#login = undefined
    const why = this.#objection(login, message)
    if (why !== undefined) {
      this.#door.met.refused += 1
      return authenticateAnswer(version, { errorCode: saslErrors.authenticationFailed, error: why })
    }
    if (this.#ageMs !== undefined && this.#producing) this.#door.renewedAfterMs.push(this.#ageMs)
    this.#loggedInMs = performance.now()
    this.#door.met.logins += 1
    return authenticateAnswer(version, { sessionMs: this.#door.rules.sessionMs })
  }

  /** undefined: who has answered holds the key and may have what it asked for. */
  #objection({ keyId, intent, challenge }: Challenged, message: Fields): string | undefined {
    const { keys, streamPoolId } = this.#door.rules
    if (intent.toString() !== `streamPoolId:${streamPoolId}`) return 'no such stream pool'
    const key = keys.get(keyId)
    if (key === undefined) return 'no such key'
    const seconds = message.get(1)
    const signature = message.get(2)
    if (typeof seconds !== 'bigint' || !Buffer.isBuffer(signature)) return 'time or signature are missing'
    if (Math.abs(Date.now() / 1_000 - Number(seconds)) > clockSkewSeconds) return 'the time is not now'
    const time = Buffer.alloc(8)
    time.writeBigInt64BE(seconds)
    const isGenuine = verify('sha256', Buffer.concat([challenge, intent, time]), key, signature)
    return isGenuine ? undefined : 'the signature does not match'
  }
}

/** By number: a varint as a bigint, text and bytes as they are. */
type Fields = ReadonlyMap<number, bigint | Buffer>

/** A message of Protocol Buffers, read by other code than the one that is tested. Throws RangeError. */
function fieldsOf(message: Buffer): Fields {
  const fields = new Map<number, bigint | Buffer>()
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message.readUInt8(at)
      at += 1
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = Number(varint())
    const value = varint()
    if ((tag & 7) === 0) {
      fields.set(tag >> 3, value)
      continue
    }
    const end = at + Number(value)
    if ((tag & 7) !== 2 || end > message.length) throw new RangeError('no such field')
    fields.set(tag >> 3, message.subarray(at, end))
    at = end
  }
  return fields
}

function bytesOf(field: bigint | Buffer | undefined): Buffer {
  return Buffer.isBuffer(field) ? field : Buffer.alloc(0)
}

/** As a varint: at most 256. */
function lengthOf({ length }: Buffer): Buffer {
  return length < 128 ? Buffer.from([length]) : Buffer.from([(length & 127) | 128, length >> 7])
}
