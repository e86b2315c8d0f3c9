import { createPrivateKey, type KeyObject, sign } from 'node:crypto'
// biome-ignore lint/correctness/noUnresolvedImports: its package.json names its types in a way that Biome does not follow
import type { AuthenticationDetailsProvider } from 'oci-common'
import { type Clock, systemClock } from '../../clock.ts'
import { Configuration, Fault, Retryable } from '../../errors.ts'
import { WorkloadIdentity } from './workload-identity.ts'

/** The ways to log in to OCI, by Oracle's own names for them. */
export type PrincipalType =
  | 'config-file'
  | 'session-token'
  | 'instance-principal'
  | 'resource-principal'
  | 'workload-identity'

export interface PrincipalSettings {
  readonly type: PrincipalType
  /** Of `config-file` and `session-token`; undefined: ~/.oci/config. */
  readonly configFile?: string | undefined
  /** Of `config-file` and `session-token`; undefined: DEFAULT. */
  readonly profile?: string | undefined
  /** Is told each token, private key and passphrase before it is used, so that they are shown nowhere (G9). */
  readonly learn?: ((secret: string) => void) | undefined
  /** Of the process, for `workload-identity`; absent: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
}

/** A key and the name that OCI knows it by, of the same moment: federated principals change both. */
export interface Credentials {
  /** `tenancy/user/fingerprint`, or `ST$` and a token. */
  readonly keyId: string
  /** RSASSA-PKCS1-v1_5 with SHA-256. */
  sign(data: Buffer): Promise<Buffer>
}

/** Of a key id that is a security token: whoever has it and the key is the principal. */
const tokenPrefix = 'ST$'

/** Who we are at OCI. */
export interface Principal {
  /** Such as `eu-frankfurt-1`, where the principal knows it. */
  readonly region: string | undefined
  /** Those of now; renewed before they expire where the principal can. Throws Retryable or Configuration. */
  credentials(): Promise<Credentials>
  /** Reads files anew and asks for a new token: after the present credentials were refused. Throws as `credentials`. */
  refresh(): Promise<void>
}

/** Oracle's provider of keys: the part of it that is used. */
export type Provider = Pick<AuthenticationDetailsProvider, 'getKeyId' | 'getPrivateKey' | 'getPassphrase'> & {
  getRegion?(): { readonly regionId: string } | undefined
}

export type OpenProvider = (settings: PrincipalSettings) => Promise<Provider>

/**
 * Logs in. Throws Configuration SINK_OCI_PACKAGE where `oci-common` is not installed, SINK_OCI_AUTH where files or
 * variables are missing or wrong, Retryable SINK_UNREACHABLE where the service that gives instances their keys does not
 * answer.
 */
export async function openPrincipal(
  settings: PrincipalSettings,
  openProvider: OpenProvider = providerOf,
): Promise<Principal> {
  const principal = new ProvidedPrincipal(settings, openProvider)
  await principal.refresh()
  return principal
}

class ProvidedPrincipal implements Principal {
  readonly #settings: PrincipalSettings
  readonly #openProvider: OpenProvider
  #provider: Provider | undefined
  #key: { readonly pem: string; readonly object: KeyObject } | undefined
  /** One at a time: two renewals at once would leave the key of one with the token of the other. */
  #asking: Promise<Credentials> | undefined
  #refreshing: Promise<void> | undefined

  constructor(settings: PrincipalSettings, openProvider: OpenProvider) {
    this.#settings = settings
    this.#openProvider = openProvider
  }

  get region(): string | undefined {
    return this.#provider?.getRegion?.()?.regionId
  }

  async credentials(): Promise<Credentials> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    return await this.#asking
  }

  async refresh(): Promise<void> {
    this.#refreshing ??= this.#reopen().finally(() => {
      this.#refreshing = undefined
    })
    await this.#refreshing
  }

  /** A new provider: the old one would go on with the files that it has read, and with its token while that is valid. */
  async #reopen(): Promise<void> {
    try {
      this.#provider = await this.#openProvider(this.#settings)
    } catch (error) {
      throw loginFault(error, this.#settings.type, isRemote(this.#settings.type))
    }
  }

  async #ask(): Promise<Credentials> {
    await this.#refreshing
    const provider = this.#provider
    if (provider === undefined) throw new Retryable('SINK_UNREACHABLE', 'logging in to OCI has not succeeded yet')
    const { type } = this.#settings
    let keyId: string
    try {
      keyId = await provider.getKeyId()
    } catch (error) {
      throw loginFault(error, type, type !== 'config-file' && type !== 'session-token')
    }
    if (keyId.startsWith(tokenPrefix)) this.#settings.learn?.(keyId.slice(tokenPrefix.length))
    const key = this.#keyOf(provider) // In the same turn as the token.
    return { keyId, sign: data => signed(data, key) }
  }

  #keyOf(provider: Provider): KeyObject {
    const pem = provider.getPrivateKey()
    if (this.#key?.pem === pem) return this.#key.object
    try {
      this.#settings.learn?.(pem)
      const passphrase = provider.getPassphrase()
      if (passphrase) this.#settings.learn?.(passphrase)
      const object = createPrivateKey(passphrase ? { key: pem, passphrase } : pem)
      if (object.asymmetricKeyType !== 'rsa') throw new TypeError('not an RSA key')
      this.#key = { pem, object }
      return object
    } catch (cause) {
      // The cause's message may quote the key's text; its code says enough.
      const code = (cause as NodeJS.ErrnoException).code ?? 'not an RSA key in PEM'
      throw new Configuration('SINK_OCI_AUTH', `${this.#settings.type}: the private key cannot be read (${code})`)
    }
  }
}

/** Whether the login itself asks a service, which may be away for a while. */
function isRemote(type: PrincipalType): boolean {
  return type === 'instance-principal'
}

function signed(data: Buffer, key: KeyObject): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  sign('RSA-SHA256', data, key, (error, signature) => (error ? reject(error) : resolve(signature)))
  return promise
}

function loginFault(error: unknown, type: PrincipalType, isAway: boolean): Fault {
  if (error instanceof Fault) return error
  const message = `${type}: ${messageOf(error)}`
  if (isAway) return new Retryable('SINK_UNREACHABLE', `logging in to OCI by ${message}`, { cause: error })
  return new Configuration('SINK_OCI_AUTH', message, { cause: error })
}

/** The package throws texts and plain objects too. */
function messageOf(error: unknown): string {
  if (typeof error === 'string') return error
  const message = (error as { message?: unknown } | null)?.message
  return typeof message === 'string' ? message : 'failed'
}

async function providerOf(settings: PrincipalSettings): Promise<Provider> {
  const { type, configFile, profile, environment = {}, clock = systemClock, learn } = settings
  if (type === 'workload-identity') return new WorkloadIdentity({ environment, clock, learn })
  const oci = await importOciCommon()
  switch (type) {
    case 'config-file':
      return new oci.ConfigFileAuthenticationDetailsProvider(configFile, profile)
    case 'session-token':
      return new oci.SessionAuthDetailProvider(configFile, profile)
    case 'instance-principal':
      return await new oci.InstancePrincipalsAuthenticationDetailsProviderBuilder().build()
    case 'resource-principal':
      return oci.ResourcePrincipalAuthenticationDetailsProvider.builder()
  }
}

/** Loaded only here: most who run this never talk to OCI. */
async function importOciCommon(): Promise<typeof import('oci-common')> {
  try {
    // biome-ignore lint/correctness/noUnresolvedImports: as above
    return await import('oci-common')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new Configuration('SINK_OCI_PACKAGE', 'the package oci-common is not installed', { cause })
  }
}
