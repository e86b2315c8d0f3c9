import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { OutRecord } from '../../../src/record.ts'
import { type Batch, Batcher, recordSizeBytes } from '../../../src/sink/kafka/batcher.ts'
import { record } from './fixture.ts'

const limits = { requestBytes: 4_000, requestRecords: 20, partitionBytes: () => 1_500 }

const anyRecord = fc
  .record({
    topic: fc.constantFrom('a', 'b'),
    partition: fc.nat(3),
    size: fc.oneof({ weight: 9, arbitrary: fc.nat(400) }, { weight: 1, arbitrary: fc.nat(6_000) }),
  })
  .map(({ topic, partition, size }) => record(topic, partition, 'x'.repeat(size)))
const anyCalls = fc.array(fc.array(anyRecord, { minLength: 1, maxLength: 30 }), { maxLength: 12 })

function drain(batcher: Batcher<number>): Batch<number>[] {
  const batches: Batch<number>[] = []
  for (let batch = batcher.take(); batch !== undefined; batch = batcher.take()) batches.push(batch)
  return batches
}

function flatten(batch: Batch<number>): OutRecord[] {
  return [...batch.topics.values()].flat()
}

describe('the batcher', () => {
  it('loses nothing, keeps the order of each partition, and gives back whose records went', () => {
    fc.assert(
      fc.property(anyCalls, calls => {
        const batcher = new Batcher<number>(limits)
        for (const [caller, records] of calls.entries()) batcher.add(caller, records)
        const batches = drain(batcher)
        const lane = (records: OutRecord[], topic: string, partition: number) =>
          records.filter(r => r.topic === topic && r.partition === partition)
        const out = batches.flatMap(flatten)
        for (const topic of ['a', 'b']) {
          for (let partition = 0; partition < 4; partition += 1) {
            expect(lane(out, topic, partition)).toEqual(lane(calls.flat(), topic, partition))
          }
        }
        const shares = batches.flatMap(batch => batch.shares)
        const counted = calls.map((_, caller) =>
          shares.filter(share => share.caller === caller).reduce((sum, share) => sum + share.records, 0),
        )
        expect(counted).toEqual(calls.map(records => records.length))
        expect(shares.map(share => share.caller)).toEqual(shares.map(share => share.caller).toSorted((x, y) => x - y))
        expect(batcher.queuedBytes).toBe(0)
      }),
    )
  })

  it('stays within every limit, and sends a record over them alone', () => {
    fc.assert(
      fc.property(anyCalls, calls => {
        const batcher = new Batcher<number>(limits)
        for (const [caller, records] of calls.entries()) batcher.add(caller, records)
        for (const batch of drain(batcher)) {
          const records = flatten(batch)
          expect(records).toHaveLength(batch.records)
          if (records.length === 1) continue
          expect(batch.records).toBeLessThanOrEqual(limits.requestRecords)
          expect(batch.bytes).toBeLessThanOrEqual(limits.requestBytes)
          expect(records.reduce((sum, r) => sum + recordSizeBytes(r), 0)).toBeLessThan(batch.bytes)
          for (const r of records) expect(recordSizeBytes(r)).toBeLessThanOrEqual(1_500)
        }
      }),
    )
  })

  it('is full once waiting would not make the next batch larger, and forgets on demand', () => {
    const batcher = new Batcher<string>(limits)
    expect(batcher.take()).toBeUndefined()
    batcher.add('one', [record('a', 0, 'x')])
    expect(batcher.isFull).toBe(false)
    batcher.add(
      'two',
      Array.from({ length: 19 }, () => record('a', 0, 'x')),
    )
    expect(batcher.isFull).toBe(true)
    expect(batcher.clear()).toEqual(['one', 'two'])
    expect(batcher.isFull).toBe(false)
    expect(batcher.take()).toBeUndefined()
  })
})
