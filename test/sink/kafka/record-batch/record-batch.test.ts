import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { OutRecord } from '../../../../src/record.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { type Compression, codecBits } from '../../../../src/sink/kafka/record-batch/compression.ts'
import { batchHeaderBytes } from '../../../../src/sink/kafka/record-batch/layout.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'
import { byKafkajs, byPlatformatic, checksumOf, type DecodedBatch } from './decode.ts'

const codecs: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map(array => Buffer.from(array))
/** Around the places where a length takes one more byte. */
const anyValue = fc.oneof(
  bytes(40),
  fc.constantFrom(0, 1, 31, 32, 33, 63, 64, 65, 8191, 8192, 20_000).map(length => Buffer.alloc(length, 'ab')),
  fc.constant(null),
)
const timestampMs = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_100 }),
  fc.integer({ min: 0, max: 8.64e15 }),
)
/** kafkajs takes a name that every object has for a header that it has already met. */
const headerName = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 70 }).filter(name => !(name in {}))
const record = (partition: number): fc.Arbitrary<OutRecord> =>
  fc.record({
    topic: fc.constant('orders'),
    partition: fc.constant(partition),
    key: bytes(80),
    value: anyValue,
    headers: fc.oneof(
      fc.constant({}),
      fc.record({ 'm2k.op': fc.constantFrom('insert', 'ä'), 'm2k.position': bytes(200) }),
      fc.dictionary(headerName, bytes(10), { noNullPrototype: true }),
    ),
    timestampMs,
  })
const records = fc.array(record(3), { minLength: 1, maxLength: 60 })

function batchOf(list: readonly OutRecord[], pool = new BufferPool()): RecordBatch {
  const batch = new RecordBatch('orders', 3, pool)
  const packed = packRecords(list)
  for (let i = 0; i < list.length; i++) batch.append(packed, i)
  return batch
}

function expectToHold(batch: DecodedBatch, list: readonly OutRecord[]): void {
  const times = list.map(({ timestampMs }) => timestampMs)
  expect(batch.lastOffsetDelta).toBe(list.length - 1)
  expect(batch.firstTimestamp).toBe(String(times[0]))
  expect(batch.maxTimestamp).toBe(String(Math.max(...times)))
  const headersOf = (headers: OutRecord['headers']) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]))
  expect(batch.records).toMatchObject(
    list.map(({ key, value, headers, timestampMs }, i) => ({
      timestamp: String(timestampMs),
      offset: String(i),
      key,
      value,
      headers: headersOf(headers),
    })),
  )
  batch.records.forEach(({ headers }, i) => {
    expect(Object.keys(headers)).toHaveLength(Object.keys(list[i]!.headers).length)
  })
}

describe.each(codecs)('with %s', compression => {
  test('two other decoders read what was appended', async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.bigInt(0n, 2n ** 63n - 1n), fc.nat(32_767), fc.nat(2 ** 31 - 1), async (...made) => {
        const [list, producerId, producerEpoch, baseSequence] = made
        const batch = batchOf(list)
        const limitBytes = batch.sizeBytes
        const sealed = await batch.seal(producerId, producerEpoch, baseSequence, compression)
        expect(batch.bytes).toBe(sealed)
        expect(sealed.length).toBeLessThanOrEqual(limitBytes)
        expect(sealed.readInt32BE(8)).toBe(sealed.length - 12)
        expect(sealed.readInt32BE(12)).toBe(-1)
        expect(sealed[16]).toBe(2)
        expect(sealed.readUInt32BE(17)).toBe(checksumOf(sealed))
        for (const decoded of [byPlatformatic(sealed), await byKafkajs(sealed)]) {
          expect([0, codecBits[compression]]).toContain(decoded.attributes)
          expect(decoded).toMatchObject({
            producerId: String(producerId),
            producerEpoch,
            firstSequence: baseSequence,
          })
          expectToHold(decoded, list)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('a batch of a transaction says so', async () => {
    const batch = batchOf([
      { topic: 'orders', partition: 3, key: Buffer.from('k'), value: Buffer.alloc(500), headers: {}, timestampMs: 1 },
    ])
    const sealed = await batch.seal(1n, 0, 0, compression, true)
    expect(sealed.readInt16BE(21)).toBe(codecBits[compression] | 0x10)
    expect(sealed.readUInt32BE(17)).toBe(checksumOf(sealed))
    for (const decoded of [byPlatformatic(sealed), await byKafkajs(sealed)])
      expect(decoded).toMatchObject({ producerId: '1' })
  })

  test('what compresses well is compressed, what does not is left alone', async () => {
    const like = (value: Buffer): OutRecord => ({
      topic: 'orders',
      partition: 3,
      key: Buffer.from('"k"'),
      value,
      headers: {},
      timestampMs: 1_700_000_000_000,
    })
    const well = batchOf(Array.from({ length: 500 }, (_, i) => like(Buffer.from(`{"number":${i},"state":"open"}`))))
    const sizeBytes = well.sizeBytes
    const sealed = await well.seal(1n, 0, 0, compression)
    expect(sealed.readInt16BE(21)).toBe(codecBits[compression])
    if (compression !== 'none') expect(sealed.length).toBeLessThan(sizeBytes / 2)

    const noise = Buffer.concat(Array.from({ length: 80 }, (_, i) => createHash('sha512').update(`${i}`).digest()))
    const badly = batchOf([like(noise)])
    const plain = await badly.seal(1n, 0, 0, compression)
    expect(plain.length).toBe(badly.sizeBytes)
    expect(plain.readInt16BE(21)).toBe(0)
    expectToHold(await byKafkajs(plain), [like(noise)])
  })

  test('memory goes back to the pool once, also when it is released while it is sealed', async () => {
    const pool = new BufferPool()
    const text = { topic: 'orders', partition: 3, key: Buffer.from('1'), headers: {}, timestampMs: 0 }
    const list = [{ ...text, value: Buffer.alloc(50_000, 'text ') }]
    const kept = batchOf(list, pool)
    await kept.seal(1n, 0, 0, compression)
    const beforeBytes = pool.retainedBytes
    kept.release()
    kept.release()
    const heldBytes = pool.retainedBytes
    expect(heldBytes).toBeGreaterThan(beforeBytes)
    expect(() => kept.bytes).toThrow()

    const dropped = batchOf(list, pool)
    const sealing = dropped.seal(1n, 0, 0, compression)
    dropped.release()
    if (sealing instanceof Promise) expect(await sealing).toHaveLength(0)
    expect(pool.retainedBytes).toBeGreaterThanOrEqual(heldBytes)
    const open = batchOf(list, pool)
    const lentBytes = pool.retainedBytes
    open.release()
    expect(pool.retainedBytes).toBeGreaterThan(lentBytes)
  })
})

test('what fits is exactly what the finished batch takes', () => {
  fc.assert(
    fc.property(records, fc.nat(100), (list, less) => {
      const packed = packRecords(list)
      const batch = new RecordBatch('orders', 3, new BufferPool())
      for (let i = 0; i < list.length; i++) {
        const before = batch.sizeBytes
        const fitsAtMost = (limitBytes: number) => batch.fits(packed, i, limitBytes)
        const answers = [0, less].map(distance => ({ distance, fits: fitsAtMost(before + distance) }))
        const wide = fitsAtMost(before + 100_000)
        batch.append(packed, i)
        expect(wide).toBe(true)
        expect(fitsAtMost(0)).toBe(false)
        for (const { distance, fits } of answers) expect(fits).toBe(batch.sizeBytes <= before + distance)
      }
      expect(batch.count).toBe(list.length)
      expect(batch.seal(1n, 0, 0, 'none')).toHaveLength(batch.sizeBytes)
    }),
  )
})

test('a tombstone is no empty value', async () => {
  const base = { topic: 'orders', partition: 3, key: Buffer.alloc(0), headers: { a: '1' }, timestampMs: 5 }
  const batch = batchOf([
    { ...base, value: null },
    { ...base, value: Buffer.alloc(0) },
  ])
  const sealed = await batch.seal(1n, 0, 0, 'none')
  const decoded = await byKafkajs(sealed)
  expect(decoded.records.map(({ value }) => value)).toEqual([null, Buffer.alloc(0)])
  expect(decoded.records.map(({ key }) => key)).toEqual([Buffer.alloc(0), Buffer.alloc(0)])
})

test('times before and long after the first are kept', async () => {
  const times = [1_700_000_000_000, 1_699_999_999_999, 0, 8.64e15, 1_700_000_000_000 + 2 ** 30, 1_700_000_000_001]
  const list = times.map(timestampMs => ({
    topic: 'orders',
    partition: 3,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: {},
    timestampMs,
  }))
  const batch = batchOf(list)
  const size = batch.sizeBytes
  const sealed = await batch.seal(1n, 0, 0, 'none')
  expect(sealed).toHaveLength(size)
  expectToHold(await byKafkajs(sealed), list)
  expectToHold(byPlatformatic(sealed), list)
})

test('the columns of the caller may be used again at once', async () => {
  const list = fc.sample(records, 1)[0]!
  const packed = packRecords(list)
  const batch = new RecordBatch('orders', 3, new BufferPool())
  for (let i = 0; i < list.length; i++) batch.append(packed, i)
  packed.bytes.fill(0)
  expectToHold(await byKafkajs(await batch.seal(1n, 0, 0, 'none')), list)
})

test('a batch is sealed once, with at least one record, and takes none afterwards', async () => {
  const packed = packRecords(fc.sample(record(3), 1))
  const empty = new RecordBatch('orders', 3, new BufferPool())
  expect(empty.sizeBytes).toBe(batchHeaderBytes)
  expect(() => empty.seal(1n, 0, 0, 'none')).toThrow('empty')
  expect(() => empty.bytes).toThrow()
  empty.append(packed, 0)
  await empty.seal(1n, 0, 0, 'none')
  expect(() => empty.seal(1n, 0, 0, 'none')).toThrow('sealed')
  expect(() => empty.append(packed, 0)).toThrow('sealed')
  const released = new RecordBatch('orders', 3, new BufferPool())
  released.release()
  expect(() => released.append(packed, 0)).toThrow('released')
})
