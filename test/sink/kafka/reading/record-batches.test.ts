import { createRequire } from 'node:module'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { createRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { describe, expect, it } from 'vitest'
import type { OutRecord } from '../../../../src/record.ts'
import { packHeaders, packRecords, unpackHeaders } from '../../../../src/record-headers.ts'
import { decompress } from '../../../../src/sink/kafka/reading/decompress.ts'
import { type ReadBatch, recordBatches } from '../../../../src/sink/kafka/reading/record-batches.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import type { Compression } from '../../../../src/sink/kafka/record-batch/compression.ts'
import { crc32c } from '../../../../src/sink/kafka/record-batch/crc32c.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'

const compressions: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

async function encode(records: readonly OutRecord[], compression: Compression, baseOffset = 0n): Promise<Buffer> {
  const packed = packRecords(records)
  const batch = new RecordBatch('t', 0, new BufferPool())
  for (let i = 0; i < packed.count; i++) batch.append(packed, i)
  const bytes = Buffer.from(await batch.seal(77n, 3, 12, compression))
  bytes.writeBigInt64BE(baseOffset) // The broker's to set, and not part of the checksum.
  return bytes
}

/** With a checksum that is right for what it says now. */
function resealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17)
  return bytes
}

const anyRecord: fc.Arbitrary<OutRecord> = fc.record({
  topic: fc.constant('t'),
  partition: fc.constant(0),
  key: fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)),
  value: fc.option(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)),
      fc.constant(Buffer.alloc(5_000, 'v')),
    ),
  ),
  headers: fc.dictionary(
    fc.string({ maxLength: 10 }).filter(name => name !== '__proto__'),
    fc.string({ maxLength: 20 }),
    { maxKeys: 4 },
  ),
  timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
})

/** What must come back of `records`. */
function expected(records: readonly OutRecord[], baseOffset: bigint) {
  return records.map(({ key, value, headers, timestampMs }, i) => ({
    offset: baseOffset + BigInt(i),
    timestampMs,
    key,
    value,
    headers: packHeaders(headers),
  }))
}

const require = createRequire(import.meta.url)
type Encode<T> = (fields: T) => { readonly buffer: Buffer }
const kafkajsRecord: Encode<object> = require('kafkajs/src/protocol/recordBatch/record/v0/index.js')
const { RecordBatch: kafkajsBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as {
  readonly RecordBatch: (fields: object) => Promise<ReturnType<Encode<object>>>
}

describe('record batches are read', () => {
  it('as kafkajs writes them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord, { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        async (records, transactional) => {
          const encoded = records.map(({ key, value, headers, timestampMs }, offsetDelta) =>
            kafkajsRecord({ offsetDelta, timestampDelta: timestampMs, key, value, headers }),
          )
          const fields = { firstTimestamp: 0, maxTimestamp: 0, lastOffsetDelta: records.length - 1, transactional }
          const { buffer } = await kafkajsBatch({ ...fields, records: encoded })
          const [batch] = recordBatches(buffer)
          expect(batch).toMatchObject({ isTransactional: transactional, isControl: false, producerId: -1n })
          expect(batch!.records()).toEqual(expected(records, 0n))
        },
      ),
    )
  })

  it.each(compressions)('as our own encoder writes them, %s', async compression => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord, { minLength: 1, maxLength: 30 }),
        fc.bigInt(0n, 2n ** 60n),
        async (records, at) => {
          const [batch, ...rest] = recordBatches(await encode(records, compression, at))
          expect(rest).toEqual([])
          expect(batch).toMatchObject({ baseOffset: at, producerId: 77n, isControl: false, isTransactional: false })
          expect(batch!.lastOffset).toBe(at + BigInt(records.length - 1))
          expect(batch!.records()).toEqual(expected(records, at))
        },
      ),
      { numRuns: 50 },
    )
  })

  it.each([
    ['gzip', 1, gzipSync],
    ['raw Snappy', 2, (bytes: Buffer) => compressSync(bytes)],
    ['LZ4', 3, (bytes: Buffer) => compressFrameSync(bytes)],
    ['zstd', 4, zstdCompressSync],
  ] as const)('as others compress them: %s', async (_name, codec, compress) => {
    const records = fc.sample(anyRecord, { numRuns: 50, seed: codec })
    const plain = await encode(records, 'none', 9n)
    const bytes = Buffer.concat([plain.subarray(0, 61), compress(plain.subarray(61))])
    bytes.writeInt32BE(bytes.length - 12, 8)
    bytes.writeInt16BE(codec, 21)
    const [batch] = recordBatches(resealed(bytes))
    expect(batch!.records()).toEqual(expected(records, 9n))
  })

  it('as @platformatic/kafka writes them: headers, nulls, transactions', () => {
    const headers = new Map([[Buffer.from('h'), Buffer.from('x')]])
    const messages = [
      { topic: 't', key: Buffer.from('k'), value: Buffer.from('v'), headers, timestamp: 5n },
      { topic: 't', value: Buffer.from('w'), timestamp: 4n },
    ]
    const { buffer } = createRecordsBatch(messages, { transactionalId: 'x', producerId: 6n })
    const [batch] = recordBatches(buffer)
    expect(batch).toMatchObject({ isTransactional: true, producerId: 6n })
    const [first, second] = batch!.records()
    expect(first).toMatchObject({ offset: 0n, timestampMs: 5, key: Buffer.from('k'), value: Buffer.from('v') })
    expect(unpackHeaders(first!.headers, 0, first!.headers.length)).toEqual({ h: 'x' })
    expect(second).toMatchObject({ offset: 1n, timestampMs: 4, value: Buffer.from('w') })
  })

  it("with the broker's time, where the topic wants it", async () => {
    const bytes = await encode(fc.sample(anyRecord, 3), 'none')
    bytes.writeInt16BE(1 << 3, 21)
    bytes.writeBigInt64BE(123_456n, 35)
    const [batch] = recordBatches(resealed(bytes))
    expect(batch!.records().map(({ timestampMs }) => timestampMs)).toEqual([123_456, 123_456, 123_456])
  })

  it('several in a row, without the one that is cut off at the end', async () => {
    const parts = [await encode(fc.sample(anyRecord, 2), 'none', 5n), await encode(fc.sample(anyRecord, 3), 'lz4', 10n)]
    const both = Buffer.concat(parts)
    const offsets = (bytes: Buffer) =>
      [...recordBatches(bytes)].map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])
    expect(offsets(both)).toEqual([
      [5n, 6n],
      [10n, 12n],
    ])
    for (let length = 0; length < both.length; length++) {
      expect(offsets(both.subarray(0, length))).toEqual(length < parts[0]!.length ? [] : [[5n, 6n]])
    }
  })

  it('where compaction has left gaps, or nothing but the header', async () => {
    const bytes = await encode(fc.sample(anyRecord, 1), 'none', 100n)
    bytes.writeInt32BE(41, 23) // Of 42 records one is left.
    const [batch] = recordBatches(resealed(bytes))
    expect([batch!.lastOffset, batch!.records().length]).toEqual([141n, 1])
    const empty = Buffer.from(bytes.subarray(0, 61))
    empty.writeInt32BE(empty.length - 12, 8)
    empty.writeInt32BE(0, 57)
    const [nothing] = recordBatches(resealed(empty))
    expect([nothing!.lastOffset, nothing!.records()]).toEqual([141n, []])
  })

  it('over messages of before Kafka 0.11, which take offsets and are not ours', async () => {
    const old = Buffer.alloc(40)
    old.writeBigInt64BE(7n)
    old.writeInt32BE(28, 8)
    old[16] = 1
    const batches = [...recordBatches(Buffer.concat([old, await encode(fc.sample(anyRecord, 1), 'none', 8n)]))]
    expect(batches.map(({ lastOffset }) => lastOffset)).toEqual([7n, 8n])
    expect(batches[0]!.records()).toEqual([])
  })
})

describe('what is malformed is a RangeError', () => {
  const readAll = (bytes: Buffer) => [...recordBatches(bytes)].map((batch: ReadBatch) => batch.records())
  const soundOrRangeError = (work: () => unknown) => {
    try {
      work()
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError)
    }
  }

  it('any changed bit behind the checksum', async () => {
    const bytes = await encode(fc.sample(anyRecord, 5), 'none')
    for (let at = 17; at < bytes.length; at++) {
      const broken = Buffer.from(bytes)
      broken[at]! ^= 4
      expect(() => readAll(broken), `byte ${at}`).toThrow('checksum')
    }
  })

  it.each(compressions)('whatever the bytes are, under a right checksum, %s', async compression => {
    const records = fc.sample(anyRecord, { numRuns: 8, seed: 1 })
    const bytes = await encode(records, compression)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 21, max: bytes.length - 1 }), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 4,
        }),
        changes => {
          const broken = Buffer.from(bytes)
          for (const [at, byte] of changes) broken[at] = byte
          soundOrRangeError(() => readAll(resealed(broken)))
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), noise => soundOrRangeError(() => readAll(Buffer.from(noise)))),
      { numRuns: 2_000 },
    )
    for (const codec of [1, 2, 3, 4]) {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), noise =>
          soundOrRangeError(() => decompress(codec, Buffer.from(noise))),
        ),
        { numRuns: 1_000 },
      )
    }
    expect(() => decompress(5, Buffer.alloc(0))).toThrow(RangeError)
  })

  it('what would not fit into memory', () => {
    const stream = Buffer.concat([
      Buffer.from([0x82]),
      Buffer.from('SNAPPY\0'),
      Buffer.alloc(8),
      Buffer.from([0, 0, 0, 5, 255, 255, 255, 255, 15]),
    ])
    expect(() => decompress(2, stream)).toThrow(RangeError)
    expect(() => decompress(2, Buffer.from([255, 255, 255, 255, 15]))).toThrow(RangeError)
    const bomb = gzipSync(Buffer.alloc(257 << 20))
    expect(() => decompress(1, bomb)).toThrow(RangeError)
  })
})
