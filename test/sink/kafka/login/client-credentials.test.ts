import { writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { Secret } from '../../../../src/secret.ts'
import { Workspace } from '../../../../src/services/workspace.ts'
import { clientCredentials } from '../../../../src/sink/kafka/login/client-credentials.ts'
import { fixedSecret } from '../../../../src/sink/kafka/login/password.ts'
import { Authority } from '../../../services/certificates.ts'
import { never } from '../fixture.ts'

const authority = new Authority('an authority')
const secret = 'wonder&land=1 ü'
let server: Server
let workspace: Workspace
let endpoint: string
let ca: string
/** What was asked, and what is answered. */
let asked: { authorization: string | undefined; body: string }[]
let answer: { status: number; body: string }
let nowMs = 1_000_000
/** How far the time of day was set. */
let setMs = 0
const clock = { ...systemClock, nowMs: () => nowMs + setMs, monotonicMs: () => nowMs }

beforeAll(async () => {
  workspace = await Workspace.open('oauth')
  ca = join(workspace.dir, 'ca.pem')
  await writeFile(ca, authority.cert)
  server = createServer(authority.issue({ commonName: 'tokens', hosts: ['127.0.0.1'] }), async (request, reply) => {
    const body = (await request.toArray()).join('')
    asked.push({ authorization: request.headers.authorization, body })
    reply.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  endpoint = `https://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/token?tenant=a`
})
afterAll(async () => {
  await new Promise(resolve => server.close(resolve))
  await workspace[Symbol.asyncDispose]()
})
beforeEach(() => {
  asked = []
  setMs = 0
  answer = { status: 200, body: '{"access_token":"abc.d-e_f","token_type":"Bearer","expires_in":100}' }
})

function tokens(options: { ca?: string | undefined } = { ca }) {
  const clientSecret = fixedSecret(new Secret(secret))
  return clientCredentials({
    tokenEndpoint: endpoint,
    clientId: 'a:b',
    clientSecret,
    scope: 'kafka',
    clock,
    ...options,
  })
}

it('asks as RFC 6749 says, and keeps the token while it is good', async () => {
  const token = tokens()
  expect(await token(never)).toBe('abc.d-e_f')
  nowMs += 79_000
  expect(await token(never)).toBe('abc.d-e_f')
  expect(asked).toHaveLength(1)
  const [, pair] = asked[0]!.authorization!.split(' ')
  expect(Buffer.from(pair!, 'base64').toString('utf8')).toBe('a%3Ab:wonder%26land%3D1+%C3%BC')
  expect(asked[0]!.body).toBe('grant_type=client_credentials&scope=kafka')
  nowMs += 2_000
  await token(never)
  expect(asked).toHaveLength(2)
})

it('keeps a token for no longer because the time of day was set back, nor because the steady clock stood still', async () => {
  const token = tokens()
  await token(never)
  setMs = -3_600_000
  nowMs += 81_000
  await token(never)
  expect(asked).toHaveLength(2)
  setMs += 81_000
  await token(never)
  expect(asked).toHaveLength(3)
})

it.each([
  [401, '{"error":"invalid_client","error_description":"wonder"}', 'Configuration', '401 (invalid_client)'],
  [503, 'out of order', 'Retryable', '503'],
  [429, '{}', 'Retryable', '429'],
  [200, '{"token":"abc"}', 'Configuration', 'no access token'],
  [200, '{"access_token":"a\\u0001b"}', 'Configuration', 'no access token'],
  [200, `{"access_token":"${'a'.repeat(300_000)}"}`, 'Retryable', '262144 bytes'],
])('answer %i %s', async (status, body, name, text) => {
  answer = { status, body }
  const error: unknown = await tokens()(never).catch((error: unknown) => error)
  expect(error).toMatchObject({ name, message: expect.stringContaining(text) })
  expect(String(error)).not.toContain('wonder')
})

it('asks nobody whose certificate it does not trust', async () => {
  await expect(tokens({})(never)).rejects.toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
  expect(asked).toEqual([])
})

it('ends with its signal', async () => {
  await expect(tokens()(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
})
