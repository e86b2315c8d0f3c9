import { describe, expect, it, test } from 'vitest'
import { Fenced, PoisonEvent, Retryable } from '../../../../src/errors.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { faultOfCode } from '../../../../src/sink/kafka/producer/produce-errors.ts'
import { QueuedBatch } from '../../../../src/sink/kafka/producer/queued-batch.ts'
import { fencedOr, impossibleRecord, refusalOf } from '../../../../src/sink/kafka/producer/refusals.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import type { Compression } from '../../../../src/sink/kafka/record-batch/compression.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'
import { TopicLimits } from '../../../../src/sink/kafka/topic-limits.ts'
import { wovenValue } from '../../../../src/sink/woven.ts'

const limits = new TopicLimits(10_000)
const position = Buffer.of(7, 0, 255)

/** A sealed batch of `count` records; key i has i + 1 bytes, and only the last one has a position. */
async function batchOf(count: number, compression: Compression): Promise<QueuedBatch> {
  const list = Array.from({ length: count }, (_, i) => ({
    topic: 'a',
    partition: 3,
    key: Buffer.alloc(i + 1, 'k'),
    value: Buffer.from('secret '.repeat(50)),
    headers: i === count - 1 ? { 'm2k.op': 'c', 'm2k.position': position } : {},
    timestampMs: 1_700_000_000_000,
  }))
  const records = packRecords(list)
  const batch = new RecordBatch('a', 3, new BufferPool())
  for (let i = 0; i < count; i += 1) batch.append(records, i)
  await batch.seal(1n, 0, 0, compression)
  return new QueuedBatch(batch, 10_000, 0)
}

describe.each(['none', 'gzip', 'lz4'] as const)('a refused batch, compression %s', compression => {
  it('names the record that the broker names, by place and position, without its contents', async () => {
    const fault = refusalOf(await batchOf(4, compression), { errorCode: 87, rejected: [3] }, limits)
    expect(fault).toBeInstanceOf(PoisonEvent)
    const record = { topic: 'a', partition: 3, keyBytes: 4, position }
    expect(fault).toMatchObject({ code: 'SINK_RECORD_INVALID', record })
    expect(fault.message).toContain('key of 4 bytes, m2k.position 0700ff')
    expect(fault.message).not.toMatch(/secret|kkkk/)
  })

  it('names its only record', async () => {
    for (const [errorCode, code] of [
      [87, 'SINK_RECORD_INVALID'],
      [10, 'SINK_RECORD_TOO_LARGE'],
      [18, 'SINK_RECORD_TOO_LARGE'],
    ] as const) {
      const fault = refusalOf(await batchOf(1, compression), { errorCode, rejected: [] }, limits)
      expect(fault).toMatchObject({ name: 'PoisonEvent', code, record: { keyBytes: 1, position } })
    }
  })
})

test('a record without headers is named by the position in its value', async () => {
  const value = wovenValue({
    value: Buffer.from('{"a":1}'),
    headers: { 'm2k.source': 'shop/orders/0', 'm2k.position': position },
  })
  const place = { topic: 'a', partition: 3, key: Buffer.from('k'), headers: {}, timestampMs: 1_700_000_000_000 }
  const fault = impossibleRecord(packRecords([{ ...place, value }]), 10)
  expect(fault).toMatchObject({ code: 'SINK_RECORD_TOO_LARGE', record: { keyBytes: 1, position } })
})

test('of several records nobody knows which one is to blame', async () => {
  const large = refusalOf(await batchOf(2, 'none'), { errorCode: 10, rejected: [] }, limits)
  expect(large).toBeInstanceOf(Retryable)
})

test('a record that is refused without being named is looked for in ever smaller batches, and found', async () => {
  const own = new TopicLimits(1 << 20)
  const before = own.get('a')
  const batch = await batchOf(200, 'none')
  for (let steps = 0; own.get('a') > 500; steps += 1) {
    expect(steps).toBeLessThan(4)
    const fault = refusalOf(batch, { errorCode: 87, rejected: [] }, own)
    expect(fault).toMatchObject({ name: 'Retryable', code: 'SINK_UNAVAILABLE' })
  }
  expect(refusalOf(await batchOf(1, 'none'), { errorCode: 87, rejected: [] }, own)).toBeInstanceOf(PoisonEvent)
  expect(own.get('a')).toBe(before)
})

test('a record without a position is known by its key, which nobody is shown', async () => {
  const place = { topic: 'a', partition: 3, headers: {}, timestampMs: 1_700_000_000_000 }
  const refused = (key: string) =>
    impossibleRecord(packRecords([{ ...place, key: Buffer.from(key), value: null }]), 1)?.record
  expect(refused('secret')).toMatchObject({ keyBytes: 6, position: undefined })
  expect(refused('secret')?.keyDigest).toMatch(/^[0-9a-f]{64}$/)
  expect(refused('secret')?.keyDigest).not.toBe(refused('public')?.keyDigest)
})

test('a topic that we may not write to is for a person, not for one event', async () => {
  const fault = refusalOf(await batchOf(1, 'none'), { errorCode: 29, rejected: [] }, limits)
  expect(fault).toMatchObject({ name: 'Configuration', code: 'SINK_UNAUTHORIZED' })
})

test('an epoch that is over means a successor, where there can be one', () => {
  for (const code of [47, 90]) {
    const fence = fencedOr(faultOfCode(code, 'send'), 'shop.orders.0')
    expect(fence).toBeInstanceOf(Fenced)
    expect(fence.code).toBe('SINK_FENCED')
    expect(fence.message).toContain('shop.orders.0')
  }
  const late = fencedOr(faultOfCode(47, 'send'), 'shop.orders.0', 12_000)
  expect(late.message).toContain('or Kafka has ended its transaction, which was open for 12000 ms')
  expect(fencedOr(faultOfCode(47, 'send'), undefined)).toBeInstanceOf(Retryable)
  for (const code of [48, 49]) expect(fencedOr(faultOfCode(code, 'send'), 'shop.orders.0')).toBeInstanceOf(Retryable)
  expect(fencedOr(faultOfCode(53, 'send'), 'shop.orders.0')).toMatchObject({ code: 'SINK_UNAUTHORIZED' })
})
