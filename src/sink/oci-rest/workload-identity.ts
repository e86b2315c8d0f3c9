import { generateKeyPair } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { promisify } from 'node:util'
import type { Clock } from '../../clock.ts'
import { withDeadline } from '../../deadline.ts'
import { Configuration } from '../../errors.ts'

export interface WorkloadIdentityOptions {
  /** Of the process: Kubernetes names its own address there. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Is told the token of the service account before it is used (G9). */
  readonly learn?: ((secret: string) => void) | undefined
  /** Where Kubernetes puts what the pod is known by; default: its own place. */
  readonly directory?: string | undefined
  /** For the cluster's answer; default: ten seconds. */
  readonly limitMs?: number | undefined
}

const ownDirectory = '/var/run/secrets/kubernetes.io/serviceaccount'
const path = '/resourcePrincipalSessionTokens'
const answerLimitMs = 10_000
const answerLimitBytes = 1 << 20
/** Before it ends: a signature is looked at after its way to the service. */
const renewalMs = 30_000

interface Session {
  /** `ST$` and a token. */
  readonly keyId: string
  readonly privateKey: string
  readonly expiresMs: number
}

/**
 * Who a pod of an enhanced OKE cluster is: the cluster's proxymux gives a session token for a key of our own to whoever
 * has the token of a service account. oci-common has the same, as `OkeWorkloadIdentityAuthenticationDetailsProvider`; but
 * it hands the cluster's authority to fetch in an option that only node-fetch knows, so that with Node's own fetch no
 * cluster is trusted (X509-federation-client-for-oke-workload-identity.js, `httpOptions.agent`, in 2.139.1). And it reads
 * the service account's token once, which Kubernetes exchanges every hour.
 */
export class WorkloadIdentity {
  readonly #options: WorkloadIdentityOptions
  readonly #host: string
  readonly #port: string
  #session: Session | undefined
  #renewing: Promise<Session> | undefined

  /** Throws Configuration SINK_OCI_AUTH outside of such a cluster. */
  constructor(options: WorkloadIdentityOptions) {
    this.#options = options
    this.#host = named(options.environment, 'KUBERNETES_SERVICE_HOST')
    this.#port = named(options.environment, 'KUBERNETES_SERVICE_PORT_PROXYMUX')
  }

  /** Of a session that goes on for a while. Rejects with Configuration SINK_OCI_AUTH, or the error of an unanswered question. */
  async getKeyId(): Promise<string> {
    const { clock } = this.#options
    if (this.#session === undefined || clock.nowMs() + renewalMs >= this.#session.expiresMs) {
      this.#renewing ??= this.#renew().finally(() => {
        this.#renewing = undefined
      })
      this.#session = await this.#renewing
    }
    return this.#session.keyId
  }

  /** Of the same session. PEM. */
  getPrivateKey(): string {
    return this.#session?.privateKey ?? ''
  }

  getPassphrase(): null {
    return null
  }

  async #renew(): Promise<Session> {
    const [authority, token] = await Promise.all([this.#read('ca.crt'), this.#read('token')])
    this.#options.learn?.(token.trim())
    const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'der' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    })
    const keyId = keyIdIn(await this.#ask({ podKey: publicKey.toString('base64') }, authority, token.trim()))
    return { keyId, privateKey, expiresMs: expiryOf(keyId) }
  }

  /** Anew each time: Kubernetes exchanges both. */
  async #read(name: string): Promise<string> {
    const file = join(this.#options.directory ?? ownDirectory, name)
    try {
      return await readFile(file, 'utf8')
    } catch (cause) {
      throw refusal(`${file} cannot be read: the pod needs a service account`, cause)
    }
  }

  async #ask(question: object, authority: string, token: string): Promise<string> {
    const body = JSON.stringify(question)
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
    }
    const address = { host: this.#host, port: this.#port, path, method: 'POST' }
    const asking = request({ ...address, headers, ca: [...rootCertificates, authority], agent: false })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    asking.on('error', reject)
    asking.on('response', response => {
      const parts: Buffer[] = []
      let sizeBytes = 0
      response.on('error', reject)
      response.on('data', (part: Buffer) => {
        sizeBytes += part.length
        if (sizeBytes > answerLimitBytes) asking.destroy(new Error('the answer is too long'))
        parts.push(part)
      })
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(parts).toString())
        else reject(new Error(`the cluster answered ${response.statusCode}: are its workload identities set up?`))
      })
    })
    asking.end(body)
    const { limitMs = answerLimitMs } = this.#options
    return await withDeadline(promise, {
      limitMs,
      late: () => new Error(`the cluster did not answer within ${limitMs} ms`),
      clock: this.#options.clock,
      onEnd: error => asking.destroy(error as Error),
    })
  }
}

function named(environment: WorkloadIdentityOptions['environment'], name: string): string {
  const value = environment[name]
  if (value) return value
  throw refusal(`the variable ${name} is missing: workload identities are there in enhanced OKE clusters only`)
}

function refusal(message: string, cause?: unknown): Configuration {
  return new Configuration('SINK_OCI_AUTH', `workload-identity: ${message}`, { cause })
}

/** The answer is base64 of `{"token":"ST$…"}`. Throws Error, which never quotes it. */
function keyIdIn(answer: string): string {
  try {
    const { token } = JSON.parse(Buffer.from(answer, 'base64').toString()) as { token?: unknown }
    if (typeof token === 'string' && token.startsWith('ST$')) return token
  } catch {
    // Its message would quote what may be a token.
  }
  throw new Error('the cluster gave no session token')
}

/** Of the token's claim `exp`, seconds since the Unix epoch; one without is good for one use. */
function expiryOf(keyId: string): number {
  try {
    const [, claims = ''] = keyId.split('.')
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp?: unknown }
    return typeof exp === 'number' ? 1_000 * exp : 0
  } catch {
    return 0
  }
}
