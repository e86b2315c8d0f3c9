import { describe, expect, it } from 'vitest'
import { Configuration, Retryable } from '../../../src/errors.ts'
import { advised, advising, principalOf } from '../../../src/sink/kafka/acl-advice.ts'
import { faultOf, protocolCode } from '../../../src/sink/kafka/classify.ts'
import { oauthBearerLogin } from '../../../src/sink/kafka/login/oauth-bearer.ts'
import { refusedRequest } from '../../../src/sink/kafka/protocol/broker-error.ts'
import type { KafkaSettings } from '../../../src/sink/kafka/settings.ts'
import { never, settingsFor } from './fixture.ts'
import { passwordLogin, tlsOf } from './login-fixture.ts'

const brokers = ['a:1', 'b:2', 'c:3', 'd:4']
const settings: KafkaSettings = { ...settingsFor(brokers), login: passwordLogin('plain', 'cdc', 'a word') }
const denied = faultOf(refusedRequest('Produce', 29, 'orders'), 'send')

/** What is said after the broker's own answer. */
function adviceTo(settings: KafkaSettings, error = denied): string {
  const { message } = advised(error, settings)
  return message.slice(message.indexOf('): ') + 3)
}

/** A login by a token, after it has been led once. */
async function afterToken(token: string): Promise<KafkaSettings> {
  const login = oauthBearerLogin({ who: 'client x', token: async () => token })
  await login.begin(never).next()
  return { ...settings, login }
}

const jwt = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`

describe('whom the brokers know', () => {
  it('is the SASL user, whatever the certificate says', () => {
    expect(principalOf({ ...settings, tls: { ...tlsOf(), hasCertificate: true, subject: 'CN=x' } })).toBe('User:cdc')
  })

  it('is the subject of the certificate, or nobody that we know where it cannot be told', () => {
    expect(principalOf({ tls: { ...tlsOf(), hasCertificate: true, subject: 'CN=x' } })).toBe('User:CN=x')
    expect(principalOf({ tls: { ...tlsOf(), hasCertificate: true, subject: undefined } })).toBeUndefined()
  })

  it('is nobody in particular without either', () => {
    expect(principalOf({})).toBe('User:ANONYMOUS')
    expect(principalOf({ tls: { ...tlsOf(), hasCertificate: false } })).toBe('User:ANONYMOUS')
  })

  it('is who the token speaks of, where it is one that can be read', async () => {
    expect(principalOf(await afterToken(jwt({ sub: 'carol' })))).toBe('User:carol')
    for (const token of ['no token', jwt({ sub: 7 }), jwt({ sub: 'two\nlines' }), jwt(null), 'e30.e30'])
      expect(principalOf(await afterToken(token))).toBeUndefined()
  })
})

describe('what is said about a right that is lacking', () => {
  it('is one command, with a few of the brokers', () => {
    expect(adviceTo(settings)).toBe(
      'User:cdc lacks Write on topic orders. On Apache Kafka grant it with: kafka-acls.sh --bootstrap-server a:1,b:2,c:3 --add --allow-principal User:cdc --operation Write --topic orders',
    )
  })

  it('is a word of a shell each', () => {
    const subject = "CN=o'hara,O=acme inc"
    const tls = { ...tlsOf(), hasCertificate: true, subject }
    expect(adviceTo({ ...settingsFor(brokers), tls })).toContain(
      `--allow-principal 'User:CN=o'\\''hara,O=acme inc' --operation`,
    )
  })

  it('is no command where rights are not kept in Kafka', async () => {
    expect(adviceTo(await afterToken('no token'))).toBe(
      'client x lacks Write on topic orders: grant Write on topic orders where its rights are kept',
    )
  })

  it('concerns the deployment where ids are its own', () => {
    const error = faultOf(refusedRequest('EndTxn', 53, 'a%2Eb.orders.0'), 'commit')
    expect(adviceTo(settings, error)).toMatch(/--transactional-id 'a%2Eb\.' --resource-pattern-type prefixed$/)
    const other = faultOf(refusedRequest('EndTxn', 53, 'mine'), 'commit')
    expect(adviceTo(settings, other)).toMatch(/--operation Write --transactional-id mine$/)
  })

  it('is said once, and keeps code and cause', async () => {
    const once = advised(denied, settings)
    expect(advised(once, settings)).toBe(once)
    expect(once).toMatchObject({ code: 'SINK_UNAUTHORIZED', cause: denied })
    expect(protocolCode(once)).toBe(29)
    await expect(advising(Promise.reject(denied), settings)).rejects.toEqual(once)
    expect(await advising(Promise.resolve(7), settings)).toBe(7)
  })

  it.each([
    new Retryable('SINK_UNAVAILABLE', 'gone'),
    new Configuration('SINK_UNAUTHORIZED', 'who knows what'),
    faultOf(refusedRequest('Produce', 10, 'orders'), 'send'),
    new Error('something else'),
  ])('is nothing where nothing is known: %s', error => {
    expect(advised(error, settings)).toBe(error)
  })
})
