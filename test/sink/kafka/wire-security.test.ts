import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { never } from './fixture.ts'
import { passwordMechanisms as mechanisms, passwordLogin, tlsOf } from './login-fixture.ts'
import { type SecureBroker, sessionMs, startSecureBroker, user } from './secure-broker.ts'
import { batchOf, makeTopic, wireFor } from './wire-fixture.ts'

const authFailed = { name: 'Configuration', code: 'SINK_AUTH_FAILED' }
let broker: SecureBroker

beforeAll(async () => {
  broker = await startSecureBroker()
})
afterAll(async () => {
  await broker[Symbol.asyncDispose]()
})

function saslOf(mechanism: (typeof mechanisms)[number], password = user.password, username = user.username) {
  return { login: passwordLogin(mechanism, username, password) }
}

describe('SASL', () => {
  it.each(mechanisms)('%s, with and without TLS', async mechanism => {
    const topic = await makeTopic([broker.plain], 1)
    for (const security of [{}, { tls: tlsOf({ ca: broker.certificate }) }]) {
      const address = 'tls' in security ? broker.saslTls : broker.sasl
      await using wire = wireFor([address], {}, { ...security, ...saslOf(mechanism) })
      const [found] = await wire.leaders([topic], never)
      const leader = await wire.connect(found!.leaders[0]!, never)
      expect((await leader.produce([batchOf(topic, 0, ['x'])])).results[0]).toMatchObject({ errorCode: 0 })
    }
  })

  it.each(mechanisms)('%s, with a wrong password or an unknown user', async mechanism => {
    for (const sasl of [saslOf(mechanism, 'no'), saslOf(mechanism, user.password, 'bob')]) {
      await using wire = wireFor([broker.sasl, broker.saslTls], {}, sasl)
      await expect(wire.leaders([], never)).rejects.toMatchObject(authFailed)
      const error: unknown = await wire.initProducerId(never).catch((error: unknown) => error)
      expect(error).toMatchObject(authFailed)
      expect(String(error)).not.toContain(user.password)
    }
  })

  it('where the port does not want it', async () => {
    await using wire = wireFor([broker.plain], {}, saslOf('plain'))
    await expect(wire.leaders([], never)).rejects.toMatchObject(authFailed)
  })

  it('outlives its sessions, with requests under way all the time', async () => {
    const topic = await makeTopic([broker.plain], 1)
    await using wire = wireFor([broker.sasl], {}, saslOf('plain'))
    const [found] = await wire.leaders([topic], never)
    const leader = await wire.connect(found!.leaders[0]!, never)
    // The broker cuts the connection where a session has run out, and where anything is asked while it is renewed.
    const untilMs = systemClock.nowMs() + 3 * sessionMs
    const one = async () => {
      while (systemClock.nowMs() < untilMs) {
        const { results } = await leader.produce([batchOf(topic, 0, ['x'])])
        expect(results[0]).toMatchObject({ errorCode: 0 })
      }
    }
    await Promise.all(Array.from({ length: 5 }, one))
  })
})

describe('TLS', () => {
  it('by name and with the certificate', async () => {
    await using wire = wireFor([broker.tls], {}, { tls: tlsOf({ ca: broker.certificate }) })
    expect(await wire.leaders([], never)).toEqual([])
    expect((await wire.connect(1, never)).nodeId).toBe(1)
  })

  it('without trust in the certificate', async () => {
    await using wire = wireFor([broker.tls], {}, { tls: tlsOf() })
    await expect(wire.leaders([], never)).rejects.toMatchObject(authFailed)
  })

  it('where the port speaks TLS and we do not', async () => {
    await using wire = wireFor([broker.tls])
    await expect(wire.leaders([], never)).rejects.toMatchObject(authFailed)
  })

  it('where we speak TLS and the port does not', async () => {
    await using wire = wireFor([broker.plain], {}, { tls: tlsOf() })
    await expect(wire.leaders([], never)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
  })
})
