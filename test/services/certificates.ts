import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** A certificate and its key, PEM. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

export interface Subject {
  readonly commonName: string
  readonly organization?: string
  /** Names and IPv4 addresses that a server is reached by. */
  readonly hosts?: readonly string[]
}

const day = 86_400_000
const ecdsaWithSha256 = oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02)

/** An authority for tests, valid from yesterday for ten days. X.509 as of RFC 5280, ECDSA on P-256. */
export class Authority {
  /** Its own certificate, PEM. */
  readonly cert: string
  readonly #name: Buffer
  readonly #key: KeyObject
  readonly #keyId: Buffer

  constructor(commonName: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.#name = nameOf({ commonName })
    this.#key = privateKey
    this.#keyId = keyIdOf(publicKey)
    this.cert = this.#issue(this.#name, publicKey, [
      extension([0x55, 0x1d, 0x13], sequence(boolean(true)), true),
      extension([0x55, 0x1d, 0x0e], der(0x04, this.#keyId)),
    ])
  }

  /** For servers and clients. */
  issue(subject: Subject, keys: 'ec' | 'rsa' = 'ec'): Certificate {
    const { publicKey, privateKey } =
      keys === 'ec'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
    const hosts = subject.hosts ?? []
    const names = hosts.map(host =>
      /^[\d.]+$/.test(host) ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
    )
    const extensions = [
      extension([0x55, 0x1d, 0x23], sequence(der(0x80, this.#keyId))),
      ...(names.length > 0 ? [extension([0x55, 0x1d, 0x11], sequence(...names))] : []),
    ]
    const cert = this.#issue(nameOf(subject), publicKey, extensions)
    return { cert, key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
  }

  #issue(subject: Buffer, publicKey: KeyObject, extensions: readonly Buffer[]): string {
    const body = sequence(
      der(0xa0, integer(Buffer.from([2]))),
      integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
      sequence(ecdsaWithSha256),
      this.#name,
      sequence(time(Date.now() - day), time(Date.now() + 10 * day)),
      subject,
      publicKey.export({ type: 'spki', format: 'der' }),
      der(0xa3, sequence(...extensions)),
    )
    const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', body, this.#key)]))
    const text = sequence(body, sequence(ecdsaWithSha256), signature).toString('base64')
    return ['-----BEGIN CERTIFICATE-----', ...text.match(/.{1,64}/g)!, '-----END CERTIFICATE-----', ''].join('\n')
  }
}

function keyIdOf(key: KeyObject): Buffer {
  return createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()
}

/** As RFC 2253 writes it: the last part first, `CN=…,O=…`. */
function nameOf({ commonName, organization }: Subject): Buffer {
  const part = (id: number, text: string) => der(0x31, sequence(oid(0x55, 0x04, id), der(0x0c, Buffer.from(text))))
  return sequence(...(organization === undefined ? [] : [part(10, organization)]), part(3, commonName))
}

function extension(id: readonly number[], value: Buffer, critical = false): Buffer {
  return sequence(oid(...id), ...(critical ? [boolean(true)] : []), der(0x04, value))
}

function time(ms: number): Buffer {
  return der(
    0x17,
    Buffer.from(
      `${new Date(ms)
        .toISOString()
        .replace(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  )
}

function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.from([value ? 255 : 0]))
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes)
}

function oid(...bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes))
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts))
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const head = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...head]), content])
}
