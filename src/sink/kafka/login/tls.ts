import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContext } from 'node:tls'
import { type Clock, systemClock } from '../../../clock.ts'
import { Configuration } from '../../../errors.ts'
import type { Logger } from '../../../log.ts'
import type { Secret } from '../../../secret.ts'

/** What node:tls connects with. */
export interface TlsOptions {
  readonly secureContext: SecureContext
  readonly rejectUnauthorized: boolean
}

/** TLS as it is now. */
export interface Tls {
  /** For a new connection. */
  current(): TlsOptions
  /** Aborted when there are others: connections that were made with these are then to be renewed. */
  readonly replaced: AbortSignal
  /** Within which time they are renewed, one after the other, milliseconds. */
  readonly renewWithinMs: number
  /** Whether there is a client certificate. */
  readonly hasCertificate?: boolean
  /** Its subject as Kafka makes a principal of it (RFC 2253), without `User:`; undefined where it cannot be told. */
  readonly subject?: string | undefined
}

export interface TlsFiles {
  /** Paths, PEM. Without `ca` the system's authorities are trusted. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly passphrase?: Secret | undefined
  readonly rejectUnauthorized: boolean
}

interface Material {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
}

/**
 * Not every file system sends signs of a change, and a mounted secret is a link to somewhere else: read again. Not
 * `watchFile`: what it compares with is the file as it was a moment after it was first read, so that a change in between
 * is never seen.
 */
const lookAgainMs = 5_000
const defaultRenewWithinMs = 30_000

/**
 * Certificates in files, which others may exchange at any time: read again for each new connection, and looked at now
 * and then for the old ones, where nobody waits for a slow file system. While they cannot be read, or do not belong
 * together because the exchange is halfway, what was good last goes on. Disposing ends the looking.
 */
export class ReloadedTls implements Tls, Disposable {
  readonly renewWithinMs: number
  readonly #files: TlsFiles
  readonly #log: Logger
  readonly #clock: Clock
  readonly #disposing = new AbortController()
  #material: Material
  #options: TlsOptions
  /** How often they were read for a new connection. */
  #reads = 0
  #replacing = new AbortController()
  /** What could not be used, so that it is said once. */
  #complaint: string | undefined

  /** Throws Configuration CONFIG_INVALID where the files cannot be read or used. */
  constructor(files: TlsFiles, log: Logger, renewWithinMs = defaultRenewWithinMs, clock = systemClock) {
    this.#clock = clock
    this.renewWithinMs = renewWithinMs
    this.#files = files
    this.#log = log
    this.#material = read(files)
    this.#options = optionsOf(files, this.#material)
    void this.#lookAgain()
  }

  get replaced(): AbortSignal {
    return this.#replacing.signal
  }

  get hasCertificate(): boolean {
    return this.#material.cert !== undefined
  }

  get subject(): string | undefined {
    const { cert } = this.#material
    return cert === undefined ? undefined : subjectOf(cert)
  }

  current(): TlsOptions {
    this.#reads += 1
    try {
      this.#take(read(this.#files))
    } catch (error) {
      this.#complain(error)
    }
    return this.#options
  }

  [Symbol.dispose](): void {
    this.#disposing.abort()
  }

  async #lookAgain(): Promise<void> {
    const { signal } = this.#disposing
    while (!signal.aborted) {
      await this.#clock.sleep(lookAgainMs, signal).catch(() => {}) // Disposed.
      if (!signal.aborted) await this.#look(signal)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const reads = this.#reads
    try {
      const material = await readLater(this.#files, signal)
      if (reads === this.#reads) this.#take(material) // Else a new connection has read later than we began to.
    } catch (error) {
      if (!signal.aborted) this.#complain(error)
    }
  }

  /** Throws where it cannot be used. */
  #take(material: Material): void {
    if (isSame(material, this.#material)) {
      this.#complaint = undefined
      return
    }
    this.#options = optionsOf(this.#files, material)
    this.#material = material
    this.#complaint = undefined
    this.#log.info({}, 'TLS files have changed; new connections use them, and the others are renewed')
    const replaced = this.#replacing
    this.#replacing = new AbortController()
    replaced.abort()
  }

  #complain(error: unknown): void {
    const complaint = error instanceof Error ? error.message : String(error)
    if (complaint !== this.#complaint)
      this.#log.warn({ error }, 'the changed TLS files are of no use yet; the old go on')
    this.#complaint = complaint
  }
}

function read({ ca, cert, key }: TlsFiles): Material {
  const pem = (path: string | undefined) => (path === undefined ? undefined : checked(path, textOf(path)))
  return { ca: pem(ca), cert: pem(cert), key: pem(key) }
}

async function readLater({ ca, cert, key }: TlsFiles, signal: AbortSignal): Promise<Material> {
  const pem = async (path: string | undefined) => {
    return path === undefined ? undefined : checked(path, await readFile(path, { encoding: 'utf8', signal }))
  }
  return { ca: await pem(ca), cert: await pem(cert), key: await pem(key) }
}

function checked(path: string, text: string): string {
  if (!isWhole(text)) throw new Configuration('CONFIG_INVALID', `sink.tls: ${path} is not PEM, or not all of it`)
  return text
}

/** A file that is just being written may be empty, which OpenSSL would take for none at all, or end in the middle. */
function isWhole(pem: string): boolean {
  const begun = pem.match(/-----BEGIN /g)?.length ?? 0
  return begun > 0 && begun === pem.match(/-----END [^\n-]+-----/g)?.length
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Configuration('CONFIG_INVALID', `sink.tls: cannot read ${path}`, { cause })
  }
}

/** OpenSSL looks here whether key and certificate belong together. */
function optionsOf({ passphrase, rejectUnauthorized }: TlsFiles, { ca, cert, key }: Material): TlsOptions {
  try {
    const secureContext = createSecureContext({
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(passphrase !== undefined && { passphrase: passphrase.reveal() }),
    })
    return { secureContext, rejectUnauthorized }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Configuration('CONFIG_INVALID', `sink.tls: the files cannot be used: ${why}`, { cause })
  }
}

function isSame(a: Material, b: Material): boolean {
  return a.ca === b.ca && a.cert === b.cert && a.key === b.key
}

/** The attributes that Java writes by name in a distinguished name (X500Principal, RFC 2253); others it writes as numbers. */
const namedAttribute = /^(?:CN|C|L|ST|O|OU|STREET|DC|UID)=/

/** Of the first certificate, which is the client's own. Node has a line for each part, in the order of the certificate. */
function subjectOf(pem: string): string | undefined {
  const parts = new X509Certificate(pem).subject.split('\n').reverse()
  return parts.every(part => namedAttribute.test(part) && !part.includes(' + ')) ? parts.join(',') : undefined
}
