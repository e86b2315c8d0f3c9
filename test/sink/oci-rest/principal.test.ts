import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Configuration, Retryable } from '../../../src/errors.ts'
import { openPrincipal, type Principal, type Provider } from '../../../src/sink/oci-rest/principal.ts'
import { InstanceSurroundings } from './federation.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'm2k-oci-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

async function profile(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, ['[DEFAULT]', 'tenancy=t', 'region=eu-frankfurt-1', ...lines, ''].join('\n'))
  return path
}

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

async function signsAs(principal: Principal, data = Buffer.from('data')): Promise<boolean> {
  const { sign } = await principal.credentials()
  return verify('RSA-SHA256', data, createPublicKey(pem), await sign(data))
}

/** Again as long as it is Retryable: Oracle's package gives a service ten seconds, which a busy machine may need. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof Retryable)) throw error
      await systemClock.sleep(1_000)
    }
  }
}

describe('with the real providers of oci-common', () => {
  test('a configuration file: the key, its name and the region', async () => {
    const key = await file('plain.pem', pem)
    const configFile = await profile('plain', ['user=u', 'fingerprint=f', `key_file=${key}`])
    const principal = await openPrincipal({ type: 'config-file', configFile })
    expect(principal.region).toBe('eu-frankfurt-1')
    expect((await principal.credentials()).keyId).toBe('t/u/f')
    expect(await signsAs(principal)).toBe(true)
  })

  test('a key with a passphrase, and the label that the console puts behind a key', async () => {
    const locked = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open it' })
    const key = await file('locked.pem', `${locked}\nOCI_API_KEY\n`)
    const lines = ['user=u', 'fingerprint=f', `key_file=${key}`, 'pass_phrase=open it']
    const principal = await openPrincipal({ type: 'config-file', configFile: await profile('locked', lines) })
    expect(await signsAs(principal)).toBe(true)
  })

  test('a session token, and the next one once the file has it; all of it is told to be kept secret', async () => {
    const key = await file('session.pem', pem)
    const token = await file('token', 'first')
    const configFile = await profile('session', ['fingerprint=f', `key_file=${key}`, `security_token_file=${token}`])
    const learned: string[] = []
    const learn = (secret: string) => void learned.push(secret)
    const principal = await openPrincipal({ type: 'session-token', configFile, learn })
    expect((await principal.credentials()).keyId).toBe('ST$first')
    expect(learned).toEqual(['first', pem])
    await file('token', 'second')
    await principal.refresh()
    expect((await principal.credentials()).keyId).toBe('ST$second')
    expect(await signsAs(principal)).toBe(true)
  })

  test('a resource principal of the environment', async () => {
    const claims = { exp: 4_102_444_800, iat: 1, jwk: 'x' }
    const token = ['{"alg":"none"}', JSON.stringify(claims), 's'].map(part => Buffer.from(part).toString('base64url'))
    vi.stubEnv('OCI_RESOURCE_PRINCIPAL_VERSION', '2.2')
    vi.stubEnv('OCI_RESOURCE_PRINCIPAL_RPST', await file('rpst', token.join('.')))
    vi.stubEnv('OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM', await file('rp.pem', pem))
    vi.stubEnv('OCI_RESOURCE_PRINCIPAL_REGION', 'eu-frankfurt-1')
    try {
      const principal = await openPrincipal({ type: 'resource-principal' })
      expect((await principal.credentials()).keyId).toBe(`ST$${token.join('.')}`)
      expect(await signsAs(principal)).toBe(true)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('an instance: the certificate of its metadata service, and a token of the auth service for it', async () => {
    await using surroundings = await InstanceSurroundings.open()
    const { metadataUrl, authUrl, tokens, refused } = surroundings
    // biome-ignore lint/correctness/noUnresolvedImports: as in principal.ts
    const { InstancePrincipalsAuthenticationDetailsProviderBuilder } = await import('oci-common')
    const opening = () =>
      openPrincipal({ type: 'instance-principal' }, async () => {
        const builder = new InstancePrincipalsAuthenticationDetailsProviderBuilder()
        builder.metadataBaseUrl = metadataUrl
        builder.federationEndpoint = authUrl
        return await builder.build()
      })
    const principal = await patiently(opening)
    const data = Buffer.from('data')
    /** The key id, of a token that was granted for the key that signs; refused ones and late answers are asked for again. */
    const logIn = async () => {
      const { keyId, sign } = await patiently(() => principal.credentials())
      const granted = tokens.granted.find(token => token.keyId === keyId) ?? expect.fail('nobody has granted it')
      expect(verify('RSA-SHA256', data, granted.publicKey, await sign(data))).toBe(true)
      return keyId
    }
    const first = await logIn()
    expect(await logIn()).toBe(first)
    await patiently(() => principal.refresh()) // As after a 401: another key, another token.
    expect(await logIn()).not.toBe(first)
    tokens.expires = 1
    await patiently(() => principal.refresh())
    expect(await logIn()).not.toBe(await logIn()) // One that has ended is never used again.
    expect(refused).toEqual([])
  })

  test.each([
    ['config-file', /no-such-file/],
    ['resource-principal', /OCI_RESOURCE_PRINCIPAL_VERSION/],
    ['workload-identity', /KUBERNETES_SERVICE_HOST/],
  ] as const)('what is missing for %s is named, and is for a person', async (type, message) => {
    const opening = openPrincipal({ type, configFile: join(folder, 'no-such-file') })
    await expect(opening).rejects.toThrow(Configuration)
    await expect(opening).rejects.toMatchObject({ code: 'SINK_OCI_AUTH', message: expect.stringMatching(message) })
  })

  test('a key that is none is refused without a word of it', async () => {
    const key = await file('no.pem', '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n')
    const configFile = await profile('no', ['user=u', 'fingerprint=f', `key_file=${key}`])
    const principal = await openPrincipal({ type: 'config-file', configFile })
    const asking = principal.credentials()
    await expect(asking).rejects.toMatchObject({ code: 'SINK_OCI_AUTH' })
    await expect(asking).rejects.not.toThrow(/c2VjcmV0|secret/)
  })
})

/** A federated principal: each renewal changes key and token, and takes a turn. */
class Federated implements Provider {
  renewals = 0
  #token = 'none'
  #pem = ''

  async getKeyId(): Promise<string> {
    this.renewals += 1
    const mine = this.renewals
    const pair = generateKeyPairSync('rsa', { modulusLength: 1024 })
    this.#pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    await Promise.resolve()
    this.#token = `${mine}:${pair.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')}`
    return this.#token
  }
  getPrivateKey(): string {
    return this.#pem
  }
  getPassphrase(): null {
    return null
  }
}

test('key and token are of the same renewal, however many ask at once', async () => {
  const provider = new Federated()
  const principal = await openPrincipal({ type: 'instance-principal' }, async () => provider)
  const all = await Promise.all(Array.from({ length: 5 }, () => principal.credentials()))
  expect(provider.renewals).toBe(1)
  const [{ keyId, sign } = expect.fail('none')] = all
  const key = createPublicKey({ key: Buffer.from(keyId.split(':')[1]!, 'base64'), format: 'der', type: 'spki' })
  expect(verify('RSA-SHA256', Buffer.from('x'), key, await sign(Buffer.from('x')))).toBe(true)
})

test('an instance whose metadata service is away is waited for', async () => {
  const opening = openPrincipal({ type: 'instance-principal' }, () => Promise.reject({ code: -1, message: 'no route' }))
  await expect(opening).rejects.toThrow(Retryable)
  await expect(opening).rejects.toMatchObject({
    code: 'SINK_UNREACHABLE',
    message: expect.stringContaining('no route'),
  })
})
