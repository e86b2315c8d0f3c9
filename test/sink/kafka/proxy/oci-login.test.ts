import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { expect, inject, it } from 'vitest'
import { systemClock } from '../../../../src/clock.ts'
import { silentLogger } from '../../../../src/log.ts'
import { silentMeter } from '../../../../src/meter.ts'
import { type Preset, presets } from '../../../../src/preset.ts'
import { ociRsaLogin } from '../../../../src/sink/kafka/login/oci-rsa.ts'
import { defaultProducerSettings, type KafkaSettings } from '../../../../src/sink/kafka/settings.ts'
import { createKafkaTarget, type KafkaTarget } from '../../../../src/sink/kafka/target.ts'
import { freshTopic, never, plain, settingsFor } from '../fixture.ts'
import { numbers, sendNumbers } from '../send-numbers.ts'
import { valuesOf } from '../values-of.ts'
import { OciRsaDoor } from './oci-door.ts'
import { KafkaProxy } from './proxy.ts'

const brokers = inject('kafkaBrokers')
const pool = 'ocid1.streampool.oc1..aaaa'
const keyId = 'ST$a-token-longer-than-a-byte-of-length-can-say'.padEnd(300, '.')
const ours = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const another = generateKeyPairSync('rsa', { modulusLength: 2_048 })

/** A preset for each library that speaks to Kafka; OCI Streaming's own forces kafkajs. */
const clients: readonly (readonly [string, Preset])[] = [
  ['platformatic', presets.kafka],
  ['kafkajs', presets['oci-streaming']],
]

function doorFor(sessionMs?: number): OciRsaDoor {
  const keys = new Map([[keyId, ours.publicKey]])
  return new OciRsaDoor({ streamPoolId: pool, keys, ...(sessionMs !== undefined && { sessionMs }) })
}

function loginBy(privateKey: KeyObject, streamPoolId = pool, name = keyId): KafkaSettings['login'] {
  const key = async () => ({ keyId: name, sign: async (data: Buffer) => sign('sha256', data, privateKey) })
  return ociRsaLogin({ who: 'the instance principal', key, streamPoolId, clock: systemClock })
}

function targetAt(settings: KafkaSettings, preset: Preset): KafkaTarget {
  const libraries = { clock: systemClock, log: silentLogger, meter: silentMeter }
  return createKafkaTarget({ settings, client: 'auto', preset, producer: defaultProducerSettings, ...libraries })
}

it.each(clients)('%s: logs in, produces, and reads it back', async (client, preset) => {
  const door = doorFor()
  await using proxy = await KafkaProxy.open({ brokers, keeper: () => door.keeper() })
  const settings = { ...settingsFor(proxy.brokers), login: loginBy(ours.privateKey) }
  await using target = targetAt(settings, preset)
  await target.check(never)
  expect(target.plan.client).toBe(client)
  const topic = freshTopic('oci-rsa')
  await sendNumbers(target, topic, sent => sent === 10)
  const writers = door.met.logins
  expect(writers).toBeGreaterThan(0)
  expect([...new Set(await valuesOf(topic, settings))]).toEqual(numbers(10))
  expect(door.met.logins).toBeGreaterThan(writers)
  expect(door.met).toMatchObject({ refused: 0, turnedAway: 0 })
})

it.each(clients)('%s: who cannot log in is refused for good, and told what to do', async (_client, preset) => {
  const door = doorFor()
  await using proxy = await KafkaProxy.open({ brokers, keeper: () => door.keeper() })
  const wrong = [
    ['the signature does not match', loginBy(another.privateKey)],
    ['no such key', loginBy(ours.privateKey, pool, 'ST$unknown')],
    ['no such stream pool', loginBy(ours.privateKey, 'ocid1.streampool.oc1..other')],
  ] as const
  for (const [why, login] of wrong) {
    const settings = { ...settingsFor(proxy.brokers), login }
    await using target = targetAt(settings, preset)
    const refusal = {
      name: 'Configuration',
      code: 'SINK_AUTH_FAILED',
      message: expect.stringContaining(`login of the instance principal by SASL OCI-RSA-SHA256: ${why}`),
      remedy: expect.stringMatching(/^Check sink\.sasl: .* key/),
    }
    await expect(target.check(never), why).rejects.toMatchObject(refusal)
    await expect(target.open(plain('p'), never), why).rejects.toMatchObject(refusal)
    await expect(valuesOf(freshTopic('oci-rsa'), settings), why).rejects.toMatchObject(refusal)
  }
  expect(door.met).toMatchObject({ logins: 0, turnedAway: 0 })
})

it('nobody passes without a login', async () => {
  const door = doorFor()
  await using proxy = await KafkaProxy.open({ brokers, keeper: () => door.keeper() })
  await using target = targetAt(settingsFor(proxy.brokers), presets.kafka)
  await expect(target.check(never)).rejects.toMatchObject({ code: 'SINK_UNREACHABLE' })
  expect(door.met.turnedAway).toBeGreaterThan(0)
})

// We renew when 70 % of a session are over, kafkajs ten seconds before its end; a timer may be a millisecond early.
it.each([
  ['platformatic', presets.kafka, { sessionMs: 4_000, earliestMs: 2_800 - 10 }],
  ['kafkajs', presets['oci-streaming'], { sessionMs: 13_000, earliestMs: 3_000 - 10 }],
] as const)(
  '%s: logs in anew on the connection that it has, before the session ends',
  async (_client, preset, times) => {
    const door = doorFor(times.sessionMs)
    await using proxy = await KafkaProxy.open({ brokers, keeper: () => door.keeper() })
    const settings = { ...settingsFor(proxy.brokers), login: loginBy(ours.privateKey) }
    await using target = targetAt(settings, preset)
    await target.check(never)
    const topic = freshTopic('oci-rsa')
    const sent = await sendNumbers(target, topic, () => door.renewedAfterMs.length >= 2)
    const after = await sendNumbers(target, freshTopic('oci-rsa'), count => count === 10)
    expect(after).toBe(10)
    // A machine that is busy with other things may cut a session short: then the last number is sent once more.
    expect([...new Set(await valuesOf(topic, settings))]).toEqual(numbers(sent))
    expect(Math.min(...door.renewedAfterMs)).toBeGreaterThanOrEqual(times.earliestMs)
  },
)
