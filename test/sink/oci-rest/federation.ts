import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authority } from '../../services/certificates.ts'
import { signatureFault } from './verify.ts'

export const tenancy = 'ocid1.tenancy.oc1..aaaa'
export const region = 'eu-frankfurt-1'

/** What a session token was given for. */
export interface Granted {
  readonly keyId: string
  readonly publicKey: KeyObject
}

interface Answer {
  readonly status: number
  readonly body: string
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

/** undefined: there is none. */
function listener(answer: (request: IncomingMessage, body: Buffer) => Answer | undefined): RequestListener {
  return (request, response) => {
    void bodyOf(request).then(body => {
      const answered = answer(request, body)
      if (answered !== undefined) response.writeHead(answered.status).end(answered.body)
    })
  }
}

async function listening(server: Server, stack: AsyncDisposableStack): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return String(address.port)
}

/** Tokens by the key they are for, the number of each in its claims: each is good until `expires`. */
class Tokens {
  readonly granted: Granted[] = []
  /** Seconds since the Unix epoch, of those to come. */
  expires = 4_102_444_800

  /** `key`: base64 of DER. */
  grant(key: string): string {
    const publicKey = createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' })
    const claims = { exp: this.expires, number: this.granted.length }
    const token = ['{"alg":"none"}', JSON.stringify(claims), 's'].map(part => Buffer.from(part).toString('base64url'))
    this.granted.push({ keyId: `ST$${token.join('.')}`, publicKey })
    return token.join('.')
  }
}

/**
 * What an instance of OCI finds: its metadata service, version 2, with the certificate of the instance, and the region's
 * auth service, which gives a token for a key to whoever signs the question with that certificate's key.
 */
export class InstanceSurroundings implements AsyncDisposable {
  readonly tokens = new Tokens()
  /** Why questions were refused. */
  readonly refused: string[] = []
  readonly #stack = new AsyncDisposableStack()
  metadataUrl = ''
  authUrl = ''

  static async open(): Promise<InstanceSurroundings> {
    const surroundings = new InstanceSurroundings()
    await surroundings.#open()
    return surroundings
  }

  async #open(): Promise<void> {
    const authority = new Authority('the instances of a region')
    const leaf = authority.issue({ commonName: 'instance', organization: `opc-tenant:${tenancy}` }, 'rsa')
    const files: Readonly<Record<string, string>> = {
      '/opc/v2/instance/region': region,
      '/opc/v2/identity/cert.pem': leaf.cert,
      '/opc/v2/identity/key.pem': leaf.key,
      '/opc/v2/identity/intermediate.pem': authority.cert,
    }
    const metadata = createServer(
      listener(({ url = '', headers }) => {
        if (headers.authorization !== 'Bearer Oracle') return { status: 401, body: '' }
        const body = files[url]
        return body === undefined ? { status: 404, body: '' } : { status: 200, body }
      }),
    )
    const { fingerprint, publicKey } = new X509Certificate(leaf.cert)
    const signer = `${tenancy}/fed-x509/${fingerprint.toLowerCase()}`
    const auth = createServer(
      listener(({ method = '', url: path = '', headers }, body) => {
        const keyOf = (keyId: string) => (keyId === signer ? publicKey : undefined)
        const fault = signatureFault({ method, path, headers, body }, keyOf, Date.now())
        if (fault !== undefined || path !== '/v1/x509') {
          this.refused.push(fault ?? path)
          return { status: 401, body: '{}' }
        }
        const question = JSON.parse(body.toString()) as { readonly publicKey: string; readonly certificate: string }
        return { status: 200, body: JSON.stringify({ token: this.tokens.grant(question.publicKey) }) }
      }),
    )
    this.metadataUrl = `http://127.0.0.1:${await listening(metadata, this.#stack)}/opc/v2/`
    this.authUrl = `http://127.0.0.1:${await listening(auth, this.#stack)}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}

/** What a pod of an enhanced OKE cluster finds: the files of its service account, and the cluster's proxymux by TLS. */
export class PodSurroundings implements AsyncDisposable {
  readonly tokens = new Tokens()
  readonly #stack = new AsyncDisposableStack()
  /** Of the pod. */
  environment: Readonly<Record<string, string>> = {}
  /** In place of Kubernetes' own. */
  directory = ''
  /** What the service account's token must be. */
  #accountToken = ''
  /** In place of a token, if it is not undefined. */
  answer: Answer | undefined
  /** No question is answered. */
  silent = false

  static async open(): Promise<PodSurroundings> {
    const surroundings = new PodSurroundings()
    await surroundings.#open()
    return surroundings
  }

  /** Kubernetes gives the pod another token, and the cluster wants it. */
  async exchange(accountToken: string): Promise<void> {
    this.#accountToken = accountToken
    await writeFile(join(this.directory, 'token'), `${accountToken}\n`)
  }

  async #open(): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), 'm2k-pod-'))
    this.#stack.defer(() => rm(this.directory, { recursive: true }))
    const authority = new Authority('a cluster')
    await writeFile(join(this.directory, 'ca.crt'), authority.cert)
    await this.exchange('the first token of the service account')
    const identity = authority.issue({ commonName: 'proxymux', hosts: ['127.0.0.1'] })
    const proxymux = createTlsServer(
      identity,
      listener(({ method, url, headers }, body) => {
        if (this.silent) return undefined
        if (method !== 'POST' || url !== '/resourcePrincipalSessionTokens') return { status: 404, body: '' }
        if (headers.authorization !== `Bearer ${this.#accountToken}`) return { status: 403, body: '' }
        if (this.answer !== undefined) return this.answer
        const { podKey } = JSON.parse(body.toString()) as { readonly podKey: string }
        const token = JSON.stringify({ token: `ST$${this.tokens.grant(podKey)}` })
        return { status: 200, body: Buffer.from(token).toString('base64') }
      }),
    )
    const port = await listening(proxymux, this.#stack)
    this.environment = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT_PROXYMUX: port }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync()
  }
}
