import { describe, expect, test } from 'vitest'
import { type PresetName, presets } from '../../../src/preset.ts'
import { type Probed, planProducing, type Wishes } from '../../../src/sink/kafka/plan.ts'

const topicApis = { validatesTopics: true, addsPartitions: true }
const modern = { producing: true, idempotence: true, transactions: true, produceVersion: 12, ...topicApis }
const old = { producing: false, idempotence: false, transactions: false, produceVersion: 5, ...topicApis }
const unasked = { compaction: undefined, growing: undefined }
const asked: Probed = { support: modern, refusesProducerIds: false, roundTrip: undefined, topics: unasked }
const wishes: Wishes = { client: 'auto', compression: 'none', batchBytes: 512 << 10 }

const planOf = (preset: PresetName, wish: Partial<Wishes> = {}, probed: Partial<Probed> = {}) =>
  planProducing(presets[preset], { ...wishes, ...wish }, { ...asked, ...probed })
const unsupported = (message: RegExp) =>
  expect.objectContaining({ name: 'Configuration', code: 'SINK_UNSUPPORTED', message: expect.stringMatching(message) })

describe('the plan for a target', () => {
  test.each(['kafka', 'oci-kafka', 'msk', 'redpanda', 'confluent-cloud'] as const)('%s: all of it', preset => {
    const { client, capabilities, because, batchBytes } = planOf(preset, { compression: 'zstd' })
    expect({ client, capabilities, because, batchBytes }).toEqual({
      client: 'platformatic',
      capabilities: { headers: true, idempotence: true, transactions: true },
      because: [],
      batchBytes: 512 << 10,
    })
  })

  test('OCI Streaming: kafkajs, nothing that is not documented, paced in small batches, whatever it lists', () => {
    const plan = planOf('oci-streaming')
    expect(plan.client).toBe('kafkajs')
    expect(plan.capabilities).toEqual({ headers: false, idempotence: false, transactions: false })
    expect(plan.batchBytes).toBe(100_000)
    expect(plan.recordLimitBytes).toBe(1_000_000)
    expect(plan.partitionBytesPerSecond).toBe(1_000_000)
    expect(plan.because).toEqual([
      'OCI Streaming has no idempotent producers',
      'OCI Streaming has no transactions',
      'OCI Streaming does not say whether it keeps record headers, so the metadata goes into the value (sink.probeTopic finds out)',
      'a partition takes 1 MB/s, so bytes are paced',
    ])
  })

  test('a round trip gives headers and compression that nobody documents, or takes them away', () => {
    const headersOf = (headers: boolean) =>
      planOf('oci-streaming', {}, { roundTrip: { headers, compression: true } }).capabilities.headers
    expect([headersOf(true), headersOf(false)]).toEqual([true, false])
    expect(planOf('kafka', {}, { roundTrip: { headers: false, compression: true } }).capabilities.headers).toBe(false)
    const lz4 = { compression: 'lz4' } as const
    expect(planOf('oci-streaming', lz4, { roundTrip: { headers: true, compression: true } }).client).toBe('kafkajs')
    expect(() => planOf('oci-streaming', lz4)).toThrow(unsupported(/set none, or set sink\.probeTopic/))
    expect(() => planOf('kafka', lz4, { roundTrip: { headers: true, compression: false } })).toThrow(
      unsupported(/refused a batch .*: set none/),
    )
    expect(() => planOf('event-hubs', lz4, { roundTrip: { headers: true, compression: true } })).toThrow(
      unsupported(/set none or gzip/),
    )
  })

  test('Event Hubs: idempotent, without transactions, requests below its limit', () => {
    const plan = planOf('event-hubs', { compression: 'gzip', batchBytes: 4 << 20 })
    expect(plan.capabilities).toEqual({ headers: true, idempotence: true, transactions: false })
    expect(plan.batchBytes).toBe(1_000_000)
  })

  test('an old target: kafkajs, and what it lists', () => {
    const plan = planOf('kafka', {}, { support: old })
    expect(plan.client).toBe('kafkajs')
    expect(plan.capabilities).toEqual({ headers: true, idempotence: false, transactions: false })
    const older = planOf('kafka', {}, { support: { ...old, produceVersion: 2 } })
    expect(older.capabilities.headers).toBe(false)
    expect(() => planOf('kafka', { compression: 'zstd' }, { support: old })).toThrow(unsupported(/set lz4 or none/))
    expect(() => planOf('kafka', { client: 'platformatic' }, { support: old })).toThrow(
      unsupported(/set sink\.client: auto/),
    )
  })

  test('a target that lists producer ids and refuses them has none', () => {
    const plan = planOf('kafka', {}, { refusesProducerIds: true })
    expect(plan.client).toBe('kafkajs')
    expect(plan.capabilities).toEqual({ headers: true, idempotence: false, transactions: false })
    expect(plan.because[0]).toBe('it lists InitProducerId and refuses it')
  })

  test('kafkajs by wish has no transactions, and the plan says why', () => {
    const plan = planOf('kafka', { client: 'kafkajs' })
    expect(plan.capabilities).toEqual({ headers: true, idempotence: true, transactions: false })
    expect(plan.because).toEqual(['records are sent by kafkajs, without transactions'])
  })

  test('what topics can be, and who says so: the target itself, what it lists, or what is known of it', () => {
    const textOf = (preset: PresetName, probed: Partial<Probed> = {}) => planOf(preset, {}, probed).topics.text
    expect(textOf('kafka', { topics: { compaction: true, growing: true } })).toBe(
      'topics can be compacted (asked) and can be given more partitions (asked)',
    )
    expect(textOf('msk', { topics: { compaction: false, growing: undefined } })).toBe(
      'topics cannot be compacted (asked) and can be given more partitions (as Amazon MSK is known)',
    )
    expect(textOf('kafka', { support: { ...modern, addsPartitions: false } })).toBe(
      'topics can be compacted (as Apache Kafka is known) and cannot be given more partitions (it does not list CreatePartitions)',
    )
    expect(planOf('oci-streaming', {}, { support: { ...old, addsPartitions: false } }).topics).toEqual({
      compaction: false,
      growing: false,
      text: 'topics cannot be compacted (as OCI Streaming is known) and cannot be given more partitions (as OCI Streaming is known)',
    })
  })
})
