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
 * `bytes` compressed as Kafka wants them. lz4 and snappy are done on return. gzip and zstd run in the thread pool, and
 * `bytes` must not change until they are done: a million records of 600 bytes take 0.3 s of the main thread instead of
 * 1.3 (zstd) or 8 (gzip), for half again of zstd's CPU time (bench/record-batch.ts).
 */
export function compress(compression: Exclude<Compression, 'none'>, bytes: Buffer): Buffer | Promise<Buffer> {
  switch (compression) {
    case 'gzip':
      return gzipAsync(bytes)
    case 'zstd':
      return zstdAsync(bytes)
    case 'lz4':
      // An LZ4 frame of independent blocks: Kafka refuses dependent ones.
      return brought(compressFrameSync(bytes))
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
  const block = compressSync(bytes, { copyOutputData: true })
  const stream = Buffer.allocUnsafe(snappyHeader.length + 4 + block.length)
  snappyHeader.copy(stream)
  stream.writeInt32BE(block.length, snappyHeader.length)
  block.copy(stream, snappyHeader.length + 4)
  return stream
}

/**
 * A copy of `external`, whose memory of its own is freed at once. The garbage collector sees only a small object and
 * lets hundreds of megabytes of such buffers pile up.
 */
function brought(external: Buffer): Buffer {
  const bytes = Buffer.from(external)
  const { buffer } = external
  if (buffer instanceof ArrayBuffer && buffer.byteLength === external.length) buffer.transfer(0)
  return bytes
}
