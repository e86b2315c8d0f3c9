import { createPublicKey, generateKeyPairSync, sign as signSync } from 'node:crypto'
// biome-ignore lint/correctness/noUnresolvedImports: its package.json names its types in a way that Biome does not follow
import { DefaultRequestSigner, type HttpRequest, SimpleAuthenticationDetailsProvider } from 'oci-common'
import { expect, test } from 'vitest'
import type { Credentials } from '../../../src/sink/oci-rest/principal.ts'
import { signedHeaders, type UnsignedRequest } from '../../../src/sink/oci-rest/signature.ts'
import { signatureFault } from './verify.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()
const credentials: Credentials = { keyId: 't/u/f', sign: async data => signSync('RSA-SHA256', data, privateKey) }
const nowMs = Date.UTC(2026, 0, 2, 3, 4, 5)
const url = new URL('https://cell-1.streaming.eu-frankfurt-1.oci.oraclecloud.com/20180418/streams/ocid1.x/messages?a=b')
const requests: readonly UnsignedRequest[] = [
  { method: 'GET', url, body: undefined },
  { method: 'POST', url, body: Buffer.from('{"messages":[{"key":"äöü","value":"x"}]}') },
]

test.each(requests)('$method: the same as the signer of oci-common', async request => {
  const ours = await signedHeaders(request, credentials, nowMs)
  const provider = new SimpleAuthenticationDetailsProvider('t', 'u', 'f', pem, null)
  const headers = new Headers({ 'x-date': ours['x-date']!, host: ours.host! })
  const theirs: HttpRequest = { method: request.method, uri: url.href, headers, body: request.body?.toString() ?? null }
  await new DefaultRequestSigner(provider).signHttpRequest(theirs)
  const parts = (text: string | null | undefined) =>
    Object.fromEntries(
      [...(text ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [
        name,
        name === 'headers' ? value?.toLowerCase() : value,
      ]),
    )
  expect(parts(ours.authorization)).toEqual(parts(headers.get('authorization')))
})

test.each(requests)('$method: verified by the server of the tests, which sees every change', async request => {
  const headers = await signedHeaders(request, credentials, nowMs)
  const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))
  const fault = (changed: Partial<Record<string, string>>, body = request.body, path = url.pathname + url.search) =>
    signatureFault({ method: request.method, path, headers: { ...headers, ...changed }, body }, () => key, nowMs)
  expect(fault({})).toBeUndefined()
  expect(fault({ host: 'elsewhere' })).toMatch(/signature/)
  expect(fault({}, request.body, '/other')).toMatch(/signature/)
  expect(fault({ 'x-date': new Date(nowMs - 600_000).toUTCString() })).toMatch(/date/)
  if (request.body) expect(fault({}, Buffer.from('{}'))).toMatch(/sha256/)
})
