import { createRequire } from 'node:module'
import { zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms, Reader, readRecordsBatch } from '@platformatic/kafka'
import { CompressionCodecs, CompressionTypes } from 'kafkajs'

const require = createRequire(import.meta.url)

/** What both decoders agree on; times, offsets and ids as text. */
export interface DecodedBatch {
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly firstTimestamp: string
  readonly maxTimestamp: string
  readonly producerId: string
  readonly producerEpoch: number
  readonly firstSequence: number
  readonly records: readonly DecodedRecord[]
}

export interface DecodedRecord {
  readonly timestamp: string
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, Buffer | null>>
}

const codec = (decompress: (bytes: Buffer) => Buffer) => () => ({
  compress: () => Promise.reject(new Error('only read here')),
  decompress: async (bytes: Buffer) => decompress(bytes),
})
CompressionCodecs[CompressionTypes.Snappy] = codec(bytes => compressionsAlgorithms.snappy.decompressSync(bytes))
CompressionCodecs[CompressionTypes.LZ4] = codec(bytes => compressionsAlgorithms.lz4.decompressSync(bytes))
CompressionCodecs[CompressionTypes.ZSTD] = codec(bytes => zstdDecompressSync(bytes))

type KafkajsBatch = Omit<DecodedBatch, 'attributes'>
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (bytes: Buffer) => object
const decodeKafkajs = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as (d: object) => Promise<KafkajsBatch>
const crc32c = require('kafkajs/src/protocol/recordBatch/crc32C/index.js') as (bytes: Buffer) => number

/** By kafkajs, which slices each record by its length. */
export async function byKafkajs(bytes: Buffer): Promise<DecodedBatch> {
  const batch = await decodeKafkajs(new Decoder(bytes))
  return { ...batch, attributes: bytes.readInt16BE(21) }
}

/** By platformatic, whose LZ4 and Snappy are not the ones that compressed. */
export function byPlatformatic(bytes: Buffer): DecodedBatch {
  const batch = readRecordsBatch(Reader.from(bytes))
  return {
    attributes: batch.attributes,
    lastOffsetDelta: batch.lastOffsetDelta,
    firstTimestamp: String(batch.firstTimestamp),
    maxTimestamp: String(batch.maxTimestamp),
    producerId: String(batch.producerId),
    producerEpoch: batch.producerEpoch,
    firstSequence: batch.firstSequence,
    records: batch.records.map(record => ({
      timestamp: String(batch.firstTimestamp + record.timestampDelta),
      offset: String(record.offsetDelta),
      key: record.key,
      value: record.value,
      headers: Object.fromEntries(record.headers.map(([name, value]) => [String(name), value])),
    })),
  }
}

/** The checksum that `bytes` should carry, by kafkajs's table. */
export function checksumOf(bytes: Buffer): number {
  return crc32c(bytes.subarray(21))
}
