const SEED = 0x9747b28c
const M = 0x5bd1e995

/**
 * MurmurHash2, 32 bits, as `org.apache.kafka.common.utils.Utils.murmur2` computes it over `bytes[start, end)`: the hash
 * that every Java producer picks partitions with. A signed int32.
 */
export function murmur2(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const length = end - start
  let hash = SEED ^ length
  let at = start
  for (const last = end - 3; at < last; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, M)
    word ^= word >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const rest = end - at
  if (rest > 2) hash ^= bytes[at + 2]! << 16
  if (rest > 1) hash ^= bytes[at + 1]! << 8
  if (rest > 0) hash = Math.imul(hash ^ bytes[at]!, M)
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}

/** Kafka's way to make a hash non-negative: the sign bit goes. The partition is this modulo the partition count. */
export function toPositive(hash: number): number {
  return hash & 0x7fffffff
}
