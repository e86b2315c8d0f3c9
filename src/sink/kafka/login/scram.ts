import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { secureNonce } from '../../../clock.ts'
import { type Login, loginRefused } from './login.ts'
import type { SecretSource } from './password.ts'

export type ScramHash = 'sha256' | 'sha512'

const derive = promisify(pbkdf2)
const keyBytes = { sha256: 32, sha512: 64 }
const nonceBytes = 24
/** Kafka refuses fewer itself; more than the upper bound would keep a thread busy for seconds. */
const iterationLimits = { lowest: 4_096, highest: 1_000_000 }
/** `n,,`: no channel binding, no other identity. */
const header = 'n,,'

export interface ScramOptions {
  readonly hash: ScramHash
  readonly username: string
  readonly password: SecretSource
  /** Fresh for each login; given by tests. */
  readonly nonce?: () => string
}

/**
 * SASL SCRAM: neither side sends the password, and the broker too shows that it knows it. Kafka takes name and password
 * as UTF-8 without preparing them (KIP-84). Source: RFC 5802, RFC 7677.
 */
export function scramLogin(options: ScramOptions): Login {
  const { hash, username, password, nonce = () => secureNonce(nonceBytes) } = options
  const login: Login = {
    mechanism: `SCRAM-SHA-${hash.slice(3)}`,
    who: `user ${username}`,
    principal: username,
    async *begin() {
      const word = await password()
      const own = nonce()
      const first = `n=${username.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${own}`
      const challenge = (yield Buffer.from(header + first)).toString('utf8')
      const { salt, iterations, both } = readChallenge(login, challenge, own)
      const bare = `c=${Buffer.from(header).toString('base64')},r=${both}`
      const salted = await derive(word, salt, iterations, keyBytes[hash], hash)
      const { proof, signature } = prove(hash, salted, `${first},${challenge},${bare}`)
      const last = fields((yield Buffer.from(`${bare},p=${proof.toString('base64')}`)).toString('utf8'))
      const theirs = Buffer.from(last.get('v') ?? '', 'base64')
      if (last.has('e')) throw loginRefused(login, `the broker answers ${last.get('e')}`)
      if (theirs.length !== signature.length || !timingSafeEqual(theirs, signature)) {
        throw loginRefused(login, 'the broker does not know the password itself: it is not the one it claims to be')
      }
    },
  }
  return login
}

function readChallenge(login: Login, text: string, own: string) {
  const challenge = fields(text)
  const both = challenge.get('r') ?? ''
  const salt = Buffer.from(challenge.get('s') ?? '', 'base64')
  const iterations = Number(challenge.get('i'))
  if (challenge.has('m')) throw loginRefused(login, 'the broker wants an extension of SCRAM that is not known here')
  if (!both.startsWith(own) || both.length === own.length || salt.length === 0) {
    throw loginRefused(login, 'the challenge of the broker is not an answer to this login')
  }
  const { lowest, highest } = iterationLimits
  if (!(Number.isInteger(iterations) && iterations >= lowest && iterations <= highest)) {
    throw loginRefused(login, `the broker wants ${iterations} iterations; from ${lowest} to ${highest} are accepted`)
  }
  return { both, salt, iterations }
}

/** `proof`: that we know the password. `signature`: what the broker must answer to show that it does. */
function prove(hash: ScramHash, salted: Buffer, message: string): { proof: Buffer; signature: Buffer } {
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const clientKey = hmac(salted, 'Client Key')
  const storedKey = createHash(hash).update(clientKey).digest()
  const clientSignature = hmac(storedKey, message)
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ clientSignature[i]!))
  return { proof, signature: hmac(hmac(salted, 'Server Key'), message) }
}

/** `r=…,s=…,i=…` by its letters. */
function fields(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map(part => [part.slice(0, 1), part.slice(2)] as const))
}
