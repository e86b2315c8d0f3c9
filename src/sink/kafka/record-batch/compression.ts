import { promisify } from 'node:util'
import { gzip, zstdCompress } from 'node:zlib'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** The codec in the lowest three bits of a record batch's attributes. */
export const codecBits: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }

const gzipAsync = promisify(gzip)
const zstdAsync = promisify(zstdCompress)

/**
 * `bytes` compressed as Kafka wants them. gzip and zstd run in the thread pool, so that they delay nothing else; `bytes`
 * must not change until they are done. lz4 and snappy are faster than the way there and back.
 */
export function compress(compression: Exclude<Compression, 'none'>, bytes: Buffer): Buffer | Promise<Buffer> {
  switch (compression) {
    case 'gzip':
      return gzipAsync(bytes)
    case 'zstd':
      return zstdAsync(bytes)
    case 'lz4':
      // An LZ4 frame of independent blocks: Kafka refuses dependent ones.
      return compressFrameSync(bytes)
    case 'snappy':
      return snappyStream(bytes)
  }
}

/** Magic, version 1, compatible with version 1: how snappy-java's streams begin. */
const snappyHeader = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])

/**
 * What the Java client writes and so every consumer reads: the format of snappy-java's streams, here with one block
 * (its length, then raw Snappy). Raw Snappy alone, as librdkafka writes it, is read by Java too, but not by all others.
 */
function snappyStream(bytes: Buffer): Buffer {
  const block = compressSync(bytes)
  const stream = Buffer.allocUnsafe(snappyHeader.length + 4 + block.length)
  snappyHeader.copy(stream)
  stream.writeInt32BE(block.length, snappyHeader.length)
  block.copy(stream, snappyHeader.length + 4)
  return stream
}
