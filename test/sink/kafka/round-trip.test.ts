import { expect, inject, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLogger } from '../../../src/log.ts'
import { roundTrip } from '../../../src/sink/kafka/round-trip.ts'
import { defaultProducerSettings, type ProducerSettings } from '../../../src/sink/kafka/settings.ts'
import { freshTopic, never, plain, settingsFor, spec, targetFor } from './fixture.ts'
import { KafkaProxy, type ProxyOptions, transactionApis } from './proxy/proxy.ts'

const brokers = inject('kafkaBrokers')

async function tripThrough(how: Partial<ProxyOptions>, compression: ProducerSettings['compression']) {
  const topic = freshTopic('probe')
  await using target = targetFor(brokers)
  await using sink = await target.open(plain('p'), never)
  await sink.partitions(topic, spec(1), never)
  await using proxy = await KafkaProxy.open({ brokers, refused: transactionApis, ...how })
  const producer = { ...defaultProducerSettings, compression }
  const options = { settings: settingsFor(proxy.brokers), producer, clock: systemClock, log: silentLogger }
  return await roundTrip(options, topic, never)
}

test('what a target keeps comes back', async () => {
  expect(await tripThrough({ produce: {} }, 'lz4')).toEqual({ headers: true, compression: true })
})

test('headers that are stripped or refused are not there', async () => {
  expect(await tripThrough({ produce: { headers: 'strip' } }, 'none')).toEqual({ headers: false, compression: true })
  expect(await tripThrough({ produce: { headers: 'refuse' } }, 'none')).toEqual({ headers: false, compression: true })
})

test('a codec that is refused is found out', async () => {
  expect(await tripThrough({ produce: { codecs: [0, 1] } }, 'snappy')).toEqual({ headers: true, compression: false })
})

/** A connection ends over each of these Produce requests, the first being number 1: the bare record. */
function ending(over: readonly number[]): Partial<ProxyOptions> {
  let produced = 0
  const meet = (apiKey: number) => {
    if (apiKey !== produceApi) return 'pass'
    produced += 1
    return over.includes(produced) ? 'shut' : 'pass'
  }
  return { keeper: () => ({ meet }) }
}
const produceApi = 0

test('a connection that ends once is no "no", one that ends over the same record again is', async () => {
  expect(await tripThrough(ending([2, 4]), 'lz4')).toEqual({ headers: true, compression: true })
  expect(await tripThrough(ending([2, 3]), 'lz4')).toEqual({ headers: false, compression: true })
  expect(await tripThrough(ending([3, 4]), 'lz4')).toEqual({ headers: true, compression: false })
})
