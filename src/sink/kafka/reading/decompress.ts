import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { decompressFrameSync } from 'lz4-napi'
import { uncompressSync } from 'snappy'

/** No batch of ours comes near it; a broker's default limit for a compressed one is 1 MiB. */
const limitBytes = 256 << 20
/** An LZ4 sequence spells out at most 255 bytes with each of its own. */
const lz4Ratio = 255

/**
 * The records of a batch whose attributes name `codec` (0 to 4), or `bytes` themselves where they are not compressed.
 * Throws a RangeError where they are malformed, or larger than 256 MiB.
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  try {
    switch (codec) {
      case 0:
        return bytes
      case 1:
        return gunzipSync(bytes, { maxOutputLength: limitBytes })
      case 2:
        return snappy(bytes)
      case 3:
        return lz4(bytes)
      case 4:
        return zstdDecompressSync(bytes, { maxOutputLength: limitBytes })
    }
  } catch (cause) {
    throw new RangeError('compressed records that cannot be read', { cause })
  }
  throw new RangeError(`an unknown codec (${codec})`)
}

function lz4(bytes: Buffer): Buffer {
  if (bytes.length * lz4Ratio > limitBytes && bytes.length > limitBytes >> 3) throw new RangeError('too large')
  return decompressFrameSync(bytes)
}

/** How streams of snappy-java begin; then two versions, then blocks of raw Snappy with their lengths. */
const streamMagic = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const streamHeaderBytes = 16

/** The Java client writes streams of snappy-java, librdkafka raw Snappy. */
function snappy(bytes: Buffer): Buffer {
  if (!bytes.subarray(0, streamMagic.length).equals(streamMagic)) return snappyBlock(bytes, limitBytes)
  const blocks: Buffer[] = []
  let left = limitBytes
  for (let at = streamHeaderBytes; at < bytes.length; ) {
    const start = at + 4
    const end = start + bytes.readUInt32BE(at)
    if (end > bytes.length) throw new RangeError('a block that is cut off')
    const block = snappyBlock(bytes.subarray(start, end), left)
    blocks.push(block)
    left -= block.length
    at = end
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}

/** The block says how long it will be, and memory of that size is taken before anything is looked at. */
function snappyBlock(bytes: Buffer, leftBytes: number): Buffer {
  let length = 0
  for (let i = 0, factor = 1; ; i++, factor *= 128) {
    const byte = bytes[i]
    if (byte === undefined || i === 5) throw new RangeError('a block without length')
    length += (byte & 127) * factor
    if (byte < 128) break
  }
  if (length > leftBytes) throw new RangeError(`a block of ${length} bytes`)
  return uncompressSync(bytes, { asBuffer: true }) as Buffer
}
