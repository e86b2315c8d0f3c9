import { createHash, type KeyObject, verify } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface SignedRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer | undefined
}

const skewLimitMs = 300_000

/**
 * Why OCI would refuse a request: what draft-cavage-http-signatures-08 and Oracle's "Request Signatures" demand.
 * `keyOf` gives the public key of a key id. undefined: it is signed as it must be.
 */
export function signatureFault(
  { method, path, headers, body }: SignedRequest,
  keyOf: (keyId: string) => KeyObject | undefined,
  nowMs: number,
): string | undefined {
  const authorization = headers.authorization ?? ''
  if (!authorization.startsWith('Signature ')) return 'no signature'
  const fields: Partial<Record<string, string>> = Object.fromEntries(
    [...authorization.matchAll(/(\w+)="([^"]*)"/g)].map(match => [match[1], match[2]]),
  )
  if (fields.version !== '1' || fields.algorithm !== 'rsa-sha256') return 'unknown version or algorithm'
  const key = keyOf(fields.keyId ?? '')
  if (key === undefined) return 'unknown key'
  const names = (fields.headers ?? '').split(' ')
  const wanted = ['(request-target)', 'host', ...(body ? ['content-type', 'content-length', 'x-content-sha256'] : [])]
  for (const name of wanted) if (!names.includes(name)) return `${name} is not signed`
  const dated = names.find(name => name === 'date' || name === 'x-date')
  if (dated === undefined) return 'no date is signed'
  if (!(Math.abs(Date.parse(String(headers[dated])) - nowMs) <= skewLimitMs))
    return 'the date is more than 5 minutes off'
  if (body && headers['x-content-sha256'] !== createHash('sha256').update(body).digest('base64')) return 'wrong sha256'
  if (body && Number(headers['content-length']) !== body.length) return 'wrong length'
  const value = (name: string): unknown =>
    name === '(request-target)' ? `${method.toLowerCase()} ${path}` : headers[name]
  const text = names.map(name => `${name}: ${value(name)}`).join('\n')
  const isGood = verify('RSA-SHA256', Buffer.from(text), key, Buffer.from(fields.signature ?? '', 'base64'))
  return isGood ? undefined : 'the signature does not fit'
}
