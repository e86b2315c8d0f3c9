// biome-ignore lint/correctness/noUnresolvedImports: a CommonJS module, of whose names Node finds only some
import kafkajs, { CompressionTypes } from 'kafkajs'
import { type Compression, compress } from '../record-batch/compression.ts'

const types = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const

/** kafkajs's name for `compression`. It knows gzip only; the others are given to it, for sending. */
export function compressionType(compression: Compression): CompressionTypes {
  if (compression !== 'none' && compression !== 'gzip') {
    kafkajs.CompressionCodecs[types[compression]] = () => ({
      compress: async ({ buffer }: { readonly buffer: Buffer }): Promise<Buffer> => compress(compression, buffer),
      decompress: (): Promise<Buffer> => Promise.reject(new Error(`${compression} is written here, never read`)),
    })
  }
  return types[compression]
}
