import { crc32c as castagnoli } from '@node-rs/crc32'

/** CRC-32C (Castagnoli) of `bytes[start, end)`, unsigned: the checksum of a record batch. */
export function crc32c(bytes: Buffer, start: number, end: number): number {
  return castagnoli(bytes.subarray(start, end))
}
