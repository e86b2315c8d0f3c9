import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { Retryable } from '../../../src/errors.ts'
import { silentLogger } from '../../../src/log.ts'
import { Workspace } from '../../../src/services/workspace.ts'
import { withAdmin } from '../../../src/sink/kafka/admin.ts'
import { faultOf } from '../../../src/sink/kafka/classify.ts'
import { Admission } from '../../../src/sink/kafka/login/admission.ts'
import { oauthBearerLogin } from '../../../src/sink/kafka/login/oauth-bearer.ts'
import { secretFile } from '../../../src/sink/kafka/login/password.ts'
import { scramLogin } from '../../../src/sink/kafka/login/scram.ts'
import { ReloadedTls } from '../../../src/sink/kafka/login/tls.ts'
import type { KafkaSettings } from '../../../src/sink/kafka/settings.ts'
import { freshTopic, never, settingsFor, targetWith } from './fixture.ts'
import { passwordMechanisms as mechanisms, passwordLogin, tlsOf } from './login-fixture.ts'
import { alterScramUser, type SecureBroker, sessionMs, startSecureBroker, user } from './secure-broker.ts'
import { numbers, sendNumbers } from './send-numbers.ts'
import { valuesOf } from './values-of.ts'
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
    for (const security of [{}, { tls: tlsOf({ ca: broker.authority.cert }) }]) {
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
    // The broker cuts the connection where a session has run out, and where anything is asked while it is renewed.
    const outlives = async (): Promise<boolean> => {
      await using wire = wireFor([broker.sasl], {}, saslOf('plain'))
      const [found] = await wire.leaders([topic], never)
      const leader = await wire.connect(found!.leaders[0]!, never)
      const untilMs = systemClock.nowMs() + 3 * sessionMs
      const one = async () => {
        while (systemClock.nowMs() < untilMs) {
          const { results } = await leader.produce([batchOf(topic, 0, ['x'])])
          expect(results[0]).toMatchObject({ errorCode: 0 })
        }
      }
      const ends = await Promise.allSettled(Array.from({ length: 5 }, one))
      const faults = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []))
      for (const fault of faults) expect(fault).toBeInstanceOf(Retryable)
      return faults.length === 0
    }
    // A renewal has a quarter of a second, and a machine that is busy with other things may not give it that each time.
    let outlived = false
    for (let attempt = 0; attempt < 50 && !outlived; attempt += 1) outlived = await outlives()
    expect(outlived).toBe(true)
  })
})

describe('TLS', () => {
  it('by name and with the certificate', async () => {
    await using wire = wireFor([broker.tls], {}, { tls: tlsOf({ ca: broker.authority.cert }) })
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

type Security = Pick<KafkaSettings, 'tls' | 'login' | 'admission'>

/** A token as only a test broker takes it: nobody has signed it. */
function unsignedToken(lifeSeconds: number): string {
  const nowSeconds = Math.floor(systemClock.nowMs() / 1_000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: 'carol', iat: nowSeconds - 10, exp: nowSeconds + lifeSeconds })}.`
}

const tokenOf = (lifeSeconds: number) =>
  oauthBearerLogin({ who: 'client carol', token: async () => unsignedToken(lifeSeconds) })

/** Asks by the wire and by kafkajs; the fault of each, undefined where it is let in. */
async function faultsOf(address: string, security: Security): Promise<unknown[]> {
  await using wire = wireFor([address], {}, security)
  const settings = { ...settingsFor([address]), ...security }
  const parts = { settings, log: silentLogger, clock: systemClock }
  const asking = [
    wire.leaders([], never),
    withAdmin(parts, never, admin => admin.describeCluster()).catch((error: unknown) => {
      throw faultOf(error, 'ask')
    }),
  ]
  const results = await Promise.allSettled(asking)
  return results.map(result => (result.status === 'rejected' ? result.reason : undefined))
}

describe('both clients', () => {
  it.each(mechanisms)('%s', async mechanism => {
    const tls = tlsOf({ ca: broker.authority.cert })
    expect(await faultsOf(broker.saslTls, { tls, ...saslOf(mechanism) })).toEqual([undefined, undefined])
    const faults = await faultsOf(broker.saslTls, { tls, ...saslOf(mechanism, 'wrong word') })
    for (const fault of faults) {
      expect(fault).toMatchObject({ ...authFailed, message: expect.stringContaining('login of user alice by SASL') })
      expect(String(fault)).not.toContain('wrong word')
    }
  })

  it('a token', async () => {
    expect(await faultsOf(broker.sasl, { login: tokenOf(60) })).toEqual([undefined, undefined])
    for (const fault of await faultsOf(broker.sasl, { login: tokenOf(-5) })) {
      expect(fault).toMatchObject({ ...authFailed, message: expect.stringContaining('client carol') })
    }
  })

  it('a client certificate', async () => {
    const ca = broker.authority.cert
    const tls = tlsOf({ ca, ...broker.authority.issue({ commonName: 'dave' }) })
    expect(await faultsOf(broker.mutualTls, { tls })).toEqual([undefined, undefined])
    for (const fault of await faultsOf(broker.mutualTls, { tls: tlsOf({ ca }) }))
      expect(fault).toMatchObject(authFailed)
  })

  it('a mechanism that the broker does not have', async () => {
    const login = { ...tokenOf(60), mechanism: 'OCI-RSA-SHA256' }
    for (const fault of await faultsOf(broker.sasl, { login })) expect(fault).toMatchObject(authFailed)
  })
})

const plain = () => settingsFor([broker.plain])

describe('an exchange under load loses nothing and keeps the order', () => {
  it('of a password, with the file behind the broker', async () => {
    await using workspace = await Workspace.open('rotation')
    const file = join(workspace.dir, 'password')
    const username = 'erin'
    await alterScramUser(broker.plain, username, 'first word')
    await writeFile(file, 'first word')
    const login = scramLogin({ hash: 'sha512', username, password: secretFile(file, 'passwordFile') })
    const admission = new Admission(systemClock)
    const refused = Promise.withResolvers<void>()
    const judge = admission.judge.bind(admission)
    admission.judge = fault => {
      if (fault.code === 'SINK_AUTH_FAILED') refused.resolve()
      return judge(fault)
    }
    const topic = freshTopic('password')
    // The old session goes on until it is renewed, which is refused: only then is the file changed.
    const exchange = async () => {
      await alterScramUser(broker.plain, username, 'second word')
      await refused.promise
      await writeFile(file, 'second word')
    }
    let exchanging: Promise<void> | undefined
    let last = Number.POSITIVE_INFINITY
    await using target = targetWith({ ...settingsFor([broker.sasl]), login, admission })
    const sent = await sendNumbers(target, topic, count => {
      if (count === 100) exchanging ??= exchange().finally(() => (last = 0))
      if (last === 0) last = count + 100
      return count >= last
    })
    await exchanging
    // Repetitions are allowed where a sink had to be opened anew (G3).
    expect([...new Set(await valuesOf(topic, plain()))]).toEqual(numbers(sent))
  })

  it('of a client certificate, old connections included', async () => {
    await using workspace = await Workspace.open('rotation')
    const [ca, cert, key] = ['ca', 'cert', 'key'].map(name => join(workspace.dir, name)) as [string, string, string]
    await writeFile(ca, broker.authority.cert)
    const place = async (commonName: string) => {
      const identity = broker.authority.issue({ commonName })
      await Promise.all([writeFile(cert, identity.cert), writeFile(key, identity.key)])
    }
    await place('first')
    using tls = new ReloadedTls({ ca, cert, key, rejectUnauthorized: true }, silentLogger, 100)
    const topic = await makeTopic([broker.plain], 1)
    await using wire = wireFor([broker.mutualTls], {}, { tls })
    const [found] = await wire.leaders([topic], never)
    const old = await wire.connect(found!.leaders[0]!, never)
    await place('second')
    tls.current() // Somebody connects, and the files are looked at.
    let sent = 0
    const ended = (async () => {
      for (; ; sent += 1) await old.produce([batchOf(topic, 0, [String(sent)])])
    })()
    await expect(ended).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    const next = await wire.connect(found!.leaders[0]!, never)
    await next.produce([batchOf(topic, 0, [String(sent)])])
    expect(await valuesOf(topic, plain())).toEqual(numbers(sent + 1))
  })
})

it('positions are read back with the same login', async () => {
  const topic = await makeTopic([broker.plain], 1)
  const tls = tlsOf({ ca: broker.authority.cert })
  const settings = { ...settingsFor([broker.saslTls]), tls, ...saslOf('scram-sha-512') }
  await using target = targetWith(settings)
  await sendNumbers(target, topic, count => count === 4)
  expect(await valuesOf(topic, settings)).toEqual(numbers(4))
})
