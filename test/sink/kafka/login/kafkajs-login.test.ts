import { expect, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { Admission } from '../../../../src/sink/kafka/login/admission.ts'
import { kafkajsLogin } from '../../../../src/sink/kafka/login/kafkajs-login.ts'
import { never } from '../fixture.ts'
import { passwordLogin } from '../login-fixture.ts'

type Provider = ReturnType<typeof kafkajsLogin>['authenticationProvider']
type Arguments = Parameters<Provider>[0]

function authenticate(admission: Admission, saslAuthenticate: Arguments['saslAuthenticate']): Promise<void> {
  const { mechanism, authenticationProvider } = kafkajsLogin(passwordLogin('plain', 'u', 'word'), admission, never)
  expect(mechanism).toBe('PLAIN')
  return authenticationProvider({
    host: 'h',
    port: 1,
    logger: {} as Arguments['logger'],
    saslAuthenticate,
  }).authenticate()
}

it('gives kafkajs messages with their lengths', async () => {
  const said: string[] = []
  await authenticate(new Admission(systemClock), async ({ request }) => {
    said.push(String(await request.encode()))
  })
  expect(said).toEqual(['\0\0\0\x07\0u\0word'])
})

it('a refused login ends the retries of kafkajs, unless it was accepted before', async () => {
  const admission = new Admission(systemClock)
  const refusing = async () => {
    throw Object.assign(new Error('Authentication failed'), { code: 58, retriable: false })
  }
  await expect(authenticate(admission, refusing)).rejects.toMatchObject({ code: 'SINK_AUTH_FAILED', retriable: false })
  await authenticate(admission, async () => undefined)
  const error: unknown = await authenticate(admission, refusing).catch((error: unknown) => error)
  expect(error).toMatchObject({ name: 'Retryable', code: 'SINK_LOGIN_REFUSED' })
  expect(error).not.toHaveProperty('retriable')
})

it('leaves other errors as they are', async () => {
  const broken = new Error('connection closed')
  const failing = authenticate(new Admission(systemClock), async () => {
    throw broken
  })
  await expect(failing).rejects.toBe(broken)
})
