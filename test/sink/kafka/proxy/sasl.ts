/** The broker's side of SaslHandshake and SaslAuthenticate, versions 0 and 1. */
export const saslApis = { handshake: 17, authenticate: 36 } as const
export const saslErrors = { none: 0, unsupportedMechanism: 33, illegalState: 34, authenticationFailed: 58 } as const

/** What a SaslHandshake asks for. */
export function askedMechanism(body: Buffer): string {
  return body.toString('utf8', 2, 2 + body.readInt16BE(0))
}

/** error_code [mechanism] */
export function handshakeAnswer(errorCode: number, mechanism: string): Buffer {
  const count = Buffer.alloc(4)
  count.writeInt32BE(1)
  return Buffer.concat([int16(errorCode), count, text(mechanism)])
}

/** What a SaslAuthenticate says. */
export function saidIn(body: Buffer): Buffer {
  return body.subarray(4, 4 + body.readInt32BE(0))
}

export interface SaslAnswer {
  readonly errorCode?: number
  readonly error?: string
  readonly bytes?: Buffer
  /** How long the login lasts (KIP-368); absent: for ever. */
  readonly sessionMs?: number | undefined
}

/** error_code error_message auth_bytes, and since version 1 session_lifetime_ms. */
export function authenticateAnswer(version: number, answer: SaslAnswer): Buffer {
  const { errorCode = saslErrors.none, error, bytes = Buffer.alloc(0), sessionMs = 0 } = answer
  const length = Buffer.alloc(4)
  length.writeInt32BE(bytes.length)
  const lasts = Buffer.alloc(version >= 1 ? 8 : 0)
  if (version >= 1) lasts.writeBigInt64BE(BigInt(sessionMs))
  return Buffer.concat([int16(errorCode), error === undefined ? int16(-1) : text(error), length, bytes, lasts])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
}
