import { expect, it } from 'vitest'
import { oauthBearerLogin } from '../../../../src/sink/kafka/login/oauth-bearer.ts'
import { lead } from './dialogue.ts'

const login = oauthBearerLogin({
  who: 'client c',
  token: async () => 'abc.def',
  extensions: { logicalCluster: 'lkc-1' },
})

it('sends the token and the extensions as RFC 7628 has them', async () => {
  const said = await lead(login, () => Buffer.alloc(0))
  expect(said.map(String)).toEqual(['n,,\x01auth=Bearer abc.def\x01logicalCluster=lkc-1\x01\x01'])
})

it('ends politely where the token is refused, and names the reason but nothing else', async () => {
  const said: string[] = []
  const leading = lead(login, bytes => {
    said.push(String(bytes))
    return said.length === 1 ? Buffer.from('{"status":"invalid_token","scope":"abc.def"}') : Buffer.alloc(0)
  })
  const error: unknown = await leading.catch((error: unknown) => error)
  expect(error).toMatchObject({ code: 'SINK_AUTH_FAILED', message: expect.stringContaining('invalid_token') })
  expect(String(error)).not.toContain('abc.def')
  expect(said[1]).toBe('\x01')
})
