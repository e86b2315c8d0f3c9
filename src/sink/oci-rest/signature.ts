import { createHash } from 'node:crypto'
import type { Credentials } from './principal.ts'

export interface UnsignedRequest {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  /** JSON; undefined for GET. */
  readonly body: Buffer | undefined
}

/**
 * The headers of a request as OCI wants it signed: draft-cavage-http-signatures-08 with RSA-SHA256 over the date, the
 * request target and the host, and of a body over its type, length and SHA-256. `nowMs`: OCI refuses requests that are
 * more than five minutes off.
 * Source: https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm
 */
export async function signedHeaders(
  { method, url, body }: UnsignedRequest,
  credentials: Credentials,
  nowMs: number,
): Promise<Record<string, string>> {
  const headers: Record<string, string> = {
    'x-date': new Date(nowMs).toUTCString(),
    host: url.host,
    accept: 'application/json',
  }
  const names = ['x-date', '(request-target)', 'host']
  if (body !== undefined) {
    headers['content-type'] = 'application/json'
    headers['content-length'] = String(body.length)
    headers['x-content-sha256'] = createHash('sha256').update(body).digest('base64')
    names.push('content-type', 'content-length', 'x-content-sha256')
  }
  const target = `${method.toLowerCase()} ${url.pathname}${url.search}`
  const lines = names.map(name => `${name}: ${name === '(request-target)' ? target : headers[name]}`)
  const signature = (await credentials.sign(Buffer.from(lines.join('\n')))).toString('base64')
  headers.authorization = `Signature version="1",keyId="${credentials.keyId}",algorithm="rsa-sha256",headers="${names.join(' ')}",signature="${signature}"`
  return headers
}
