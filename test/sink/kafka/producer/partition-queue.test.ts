import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { packRecords } from '../../../../src/record-headers.ts'
import { maxInFlight, PartitionQueue, sequenceAfter } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import { QueuedBatch } from '../../../../src/sink/kafka/producer/queued-batch.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'

const buffers = new BufferPool()
const columns = packRecords([
  { topic: 't', partition: 0, key: Buffer.from('k'), value: Buffer.from('v'), headers: {}, timestampMs: 1 },
])

function batchOf(records: number, beganMs = 0): QueuedBatch {
  const batch = new QueuedBatch(new RecordBatch('t', 0, buffers), 1_000, beganMs)
  for (let i = 0; i < records; i += 1) batch.records.append(columns, 0)
  return batch
}

/** Sends the batch whose turn it is; undefined where it is nobody's. */
function sendNext(queue: PartitionQueue): QueuedBatch | undefined {
  const batch = queue.next()
  if (batch === undefined) return undefined
  if (batch.state !== 'sealed') {
    queue.beginSealing(batch)
    queue.sealed(batch)
  }
  queue.sent(batch)
  return batch
}

/** A queue of `count` batches whose broker knows the producer: one batch more was acknowledged. */
function confirmed(count: number, firstSequence = 0) {
  const queue = new PartitionQueue(firstSequence)
  queue.push(batchOf(1))
  const first = sendNext(queue)
  if (first !== undefined) queue.answer(first, 'acknowledged', 0)
  const batches = Array.from({ length: count }, () => batchOf(2))
  for (const batch of batches) queue.push(batch)
  return { queue, batches }
}

test('sequence numbers follow each other and wrap', () => {
  expect(sequenceAfter(0, 5)).toBe(5)
  expect(sequenceAfter(0x7fffffff, 1)).toBe(0)
  expect(sequenceAfter(0x7ffffffe, 5)).toBe(3)
  fc.assert(
    fc.property(fc.nat(0x7fffffff), fc.nat(0x7fffffff), (sequence, count) => {
      expect(BigInt(sequenceAfter(sequence, count))).toBe((BigInt(sequence) + BigInt(count)) % 2n ** 31n)
    }),
  )
})

describe('what may go on the wire', () => {
  test('one batch to a broker that does not know the producer, then five', () => {
    const queue = new PartitionQueue(0)
    for (let i = 0; i < 8; i += 1) queue.push(batchOf(1))
    const first = sendNext(queue)
    expect(sendNext(queue)).toBeUndefined()
    expect(first && queue.answer(first, 'acknowledged', 1)).toBe('acknowledged')
    const sent = Array.from({ length: 7 }, () => sendNext(queue)).filter(batch => batch !== undefined)
    expect(sent.map(({ baseSequence }) => baseSequence)).toEqual([1, 2, 3, 4, 5])
    expect(queue.inFlight).toBe(maxInFlight)
  })

  test('one again after a minute of silence', () => {
    const { queue } = confirmed(0)
    queue.push(batchOf(1, 60_001))
    queue.push(batchOf(1, 60_001))
    expect(sendNext(queue)).toBeDefined()
    expect(sendNext(queue)).toBeUndefined()
  })

  test('one at a time while the records are so old that the broker may have forgotten them, and on another broker', () => {
    const { queue } = confirmed(8)
    const first = sendNext(queue)
    const dayMs = 24 * 3_600_000
    if (first !== undefined) queue.answer(first, 'acknowledged', dayMs)
    const second = sendNext(queue)
    expect(sendNext(queue)).toBeUndefined()
    if (second !== undefined) queue.answer(second, 'acknowledged', 1)
    expect(queue.next()).toBeDefined()
    queue.doubt()
    expect(sendNext(queue)).toBeDefined()
    expect(sendNext(queue)).toBeUndefined()
  })

  test('whose age is by the time of day, whatever the clock says that waits are measured by', () => {
    const { queue } = confirmed(8)
    const first = sendNext(queue)
    const dayMs = 24 * 3_600_000
    if (first !== undefined) queue.answer(first, 'acknowledged', dayMs, 1)
    expect(sendNext(queue)).toBeDefined()
    expect(sendNext(queue)).toBeDefined()
  })

  test('only a sealed batch, only when it is its turn, and sealed only once', () => {
    const { queue, batches } = confirmed(2)
    const [one, two] = batches as [QueuedBatch, QueuedBatch]
    expect(() => queue.sent(one)).toThrow('not the turn')
    queue.beginSealing(one)
    expect(() => queue.sent(one)).toThrow('not the turn')
    expect(() => queue.beginSealing(one)).toThrow('cannot be sealed')
    queue.sealed(one)
    expect(() => queue.sent(two)).toThrow('not the turn')
    queue.sent(one)
    expect(() => queue.answer(two, 'acknowledged', 0)).toThrow('not on the wire')
  })

  test('what is sealed ahead is closed, in order, and within the five', () => {
    const { queue, batches } = confirmed(7)
    const sealed: QueuedBatch[] = []
    for (let next = queue.nextToSeal(); next !== undefined; next = queue.nextToSeal()) {
      queue.beginSealing(next)
      sealed.push(next)
    }
    expect(sealed).toEqual(batches.slice(0, maxInFlight))
    expect(sealed.map(({ baseSequence }) => baseSequence)).toEqual([1, 3, 5, 7, 9])
    expect(queue.open).toBe(batches[6])
  })
})

describe('what an answer means', () => {
  test('a retriable failure rewinds once every answer is there; the batches behind it go again as they were', () => {
    const { queue } = confirmed(5)
    const sent = Array.from({ length: 4 }, () => sendNext(queue)) as [
      QueuedBatch,
      QueuedBatch,
      QueuedBatch,
      QueuedBatch,
    ]
    expect(queue.answer(sent[0], 'retry', 1)).toBe('failed')
    expect(queue.next()).toBeUndefined()
    expect(queue.rewind()).toBe(false)
    expect(queue.answer(sent[1], 'out-of-order', 1)).toBe('failed')
    expect(queue.answer(sent[2], 'acknowledged', 1)).toBe('acknowledged')
    // Behind a failed batch no refusal counts.
    expect(queue.answer(sent[3], 'fatal', 1)).toBe('failed')
    expect(queue.rewind()).toBe(true)
    expect(queue.rewind()).toBe(false)
    expect(queue.rewinds).toBe(1)
    const numbers = [sent[0], sent[1], sent[3]].map(({ baseSequence }) => baseSequence)
    for (const baseSequence of numbers) {
      const again = sendNext(queue)
      expect(again?.baseSequence).toBe(baseSequence)
      expect(again?.sends).toBe(2)
      if (again !== undefined) queue.answer(again, 'acknowledged', 2)
    }
    expect(queue.rewinds).toBe(0)
    expect(sendNext(queue)?.baseSequence).toBe(9)
  })

  test.each(['fatal', 'out-of-order'] as const)('%s at the head is the end; what is behind it is dropped', meaning => {
    const { queue } = confirmed(4)
    const sent = Array.from({ length: 3 }, () => sendNext(queue)) as [QueuedBatch, QueuedBatch, QueuedBatch]
    expect(queue.answer(sent[0], 'acknowledged', 1)).toBe('acknowledged')
    expect(queue.answer(sent[1], meaning, 1)).toBe('fatal')
    expect(queue.end()).toHaveLength(1)
    expect(queue.answer(sent[2], 'out-of-order', 1)).toBe('dropped')
    expect(queue.next()).toBeUndefined()
    expect(queue.rewind()).toBe(false)
    expect(queue.stalledSinceMs).toBeUndefined()
  })

  test('it stalls from its first record or its last progress on', () => {
    const queue = new PartitionQueue(0)
    expect(queue.stalledSinceMs).toBeUndefined()
    queue.push(batchOf(1, 100))
    queue.push(batchOf(1, 200))
    expect(queue.stalledSinceMs).toBe(100)
    const first = sendNext(queue)
    if (first !== undefined) queue.answer(first, 'acknowledged', 300)
    expect(queue.stalledSinceMs).toBe(300)
    const second = sendNext(queue)
    if (second !== undefined) queue.answer(second, 'retry', 400)
    expect(queue.stalledSinceMs).toBe(300)
  })
})
