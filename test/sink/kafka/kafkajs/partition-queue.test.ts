import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { packRecords } from '../../../../src/record-headers.ts'
import {
  type Batch,
  batchOverheadBytes,
  PartitionQueue,
  recordSizeBytes,
} from '../../../../src/sink/kafka/kafkajs/partition-queue.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'
import { record } from '../fixture.ts'

const limitBytes = 1_500
const limitRecords = 10
const anyRecords = fc.array(
  fc
    .oneof({ weight: 9, arbitrary: fc.nat(400) }, { weight: 1, arbitrary: fc.nat(6_000) })
    .map(size => record('t', 0, 'x'.repeat(size))),
  { maxLength: 40 },
)

describe('the queue of a partition', () => {
  it('loses nothing, keeps the order, stays within its limits, and gives a record over them alone', () => {
    fc.assert(
      fc.property(anyRecords, records => {
        const queue = new PartitionQueue<number>('t', 0)
        for (const [caller, one] of records.entries()) {
          queue.push({ record: one, sizeBytes: recordSizeBytes(one), caller })
        }
        const batches: Batch<number>[] = []
        while (!queue.isEmpty) batches.push(queue.take(limitBytes, limitRecords))
        const out = batches.flatMap(({ queued }) => queued)
        expect(out.map(({ record }) => record)).toEqual(records)
        expect(out.map(({ caller }) => caller)).toEqual(records.keys().toArray())
        for (const [i, { queued, bytes }] of batches.entries()) {
          expect(queued.length).toBeGreaterThan(0)
          expect(queued.length).toBeLessThanOrEqual(limitRecords)
          expect(bytes).toBe(queued.reduce((sum, { sizeBytes }) => sum + sizeBytes, batchOverheadBytes))
          if (queued.length > 1) expect(bytes).toBeLessThanOrEqual(limitBytes)
          const next = batches[i + 1]?.queued[0]
          if (next !== undefined && queued.length < limitRecords) {
            expect(bytes + next.sizeBytes).toBeGreaterThan(limitBytes)
          }
        }
      }),
    )
  })

  it('counts each record as no smaller than it is', () => {
    fc.assert(
      fc.property(anyRecords, fc.dictionary(fc.string(), fc.string()), (records, headers) => {
        const list = [record('t', 0, null), ...records].map(one => ({ ...one, headers }))
        const packed = packRecords(list)
        const batch = new RecordBatch('t', 0, new BufferPool())
        for (let i = 0; i < list.length; i++) batch.append(packed, i)
        const counted = list.reduce((sum, one) => sum + recordSizeBytes(one), batchOverheadBytes)
        expect(counted).toBeGreaterThanOrEqual(batch.sizeBytes)
      }),
    )
  })
})
