import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import { uncompressSync } from 'snappy'
import { expect, test } from 'vitest'
import { compress } from '../../../../src/sink/kafka/record-batch/compression.ts'
import { crc32c } from '../../../../src/sink/kafka/record-batch/crc32c.ts'

const text = Buffer.from('every change of a MongoDB, in order per document, with nothing lost; '.repeat(5000))

test('LZ4 is a frame of version 1 with independent blocks, as Kafka demands it', async () => {
  const frame = await compress('lz4', text)
  expect(frame.readUInt32LE(0)).toBe(0x184d2204)
  expect(frame[4]! >> 6).toBe(1)
  expect(frame[4]! & 0b10_0000).toBe(0b10_0000)
  expect(compressionsAlgorithms.lz4.decompressSync(frame).equals(text)).toBe(true)
})

test('Snappy is a stream of snappy-java with one block of raw Snappy', async () => {
  const stream = await compress('snappy', text)
  expect(stream.subarray(1, 7).toString()).toBe('SNAPPY')
  expect(stream.readInt32BE(16)).toBe(stream.length - 20)
  expect(uncompressSync(stream.subarray(20))).toEqual(text)
  expect(compressionsAlgorithms.snappy.decompressSync(stream).equals(text)).toBe(true)
})

test('gzip and zstd are read by zlib', async () => {
  expect(gunzipSync(await compress('gzip', text)).equals(text)).toBe(true)
  expect(zstdDecompressSync(await compress('zstd', text)).equals(text)).toBe(true)
})

test('the checksum is the one of RFC 3720', () => {
  expect(crc32c(Buffer.from('x123456789x'), 1, 10)).toBe(0xe3069283)
  expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa)
})
