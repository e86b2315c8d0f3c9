import { expect, inject, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/log.ts'
import { roundTrip } from '../../../src/sink/kafka/round-trip.ts'
import { defaultProducerSettings, type ProducerSettings } from '../../../src/sink/kafka/settings.ts'
import { freshTopic, never, plain, settingsFor, spec, targetFor } from './fixture.ts'
import type { ProduceRules } from './proxy/produce.ts'
import { KafkaProxy, transactionApis } from './proxy/proxy.ts'

const brokers = inject('kafkaBrokers')

async function tripThrough(produce: ProduceRules, compression: ProducerSettings['compression']) {
  const topic = freshTopic('probe')
  await using target = targetFor(brokers)
  await using sink = await target.open(plain('p'), never)
  await sink.partitions(topic, spec(1), never)
  await using proxy = await KafkaProxy.open({ brokers, refused: transactionApis, produce })
  const producer = { ...defaultProducerSettings, compression }
  const options = { settings: settingsFor(proxy.brokers), producer, clock: systemClock, log: silentLogger }
  return await roundTrip(options, topic, never)
}

test('what a target keeps comes back', async () => {
  expect(await tripThrough({}, 'lz4')).toEqual({ headers: true, compression: true })
})

test('headers that are stripped or refused are not there', async () => {
  expect(await tripThrough({ headers: 'strip' }, 'none')).toEqual({ headers: false, compression: true })
  expect(await tripThrough({ headers: 'refuse' }, 'none')).toEqual({ headers: false, compression: true })
})

test('a codec that is refused is found out', async () => {
  expect(await tripThrough({ codecs: [0, 1] }, 'snappy')).toEqual({ headers: true, compression: false })
})
