/** Below this a loop is faster than the call that copies memory. */
const loopLimitBytes = 32
const halfRange = 2 ** 30

/** Bytes of `value` as a zigzag varint; it is between -2^30 and 2^30 - 1. */
export function varintBytes(value: number): number {
  const zigzag = (value << 1) ^ (value >> 31)
  if (zigzag < 1 << 7) return 1
  if (zigzag < 1 << 14) return 2
  if (zigzag < 1 << 21) return 3
  return zigzag < 1 << 28 ? 4 : 5
}

/** Writes `value`, between -2^30 and 2^30 - 1, as a zigzag varint and returns where it ends. */
export function putVarint(target: Buffer, at: number, value: number): number {
  let rest = (value << 1) ^ (value >> 31)
  let end = at
  for (; rest > 127; rest >>>= 7) target[end++] = (rest & 127) | 128
  target[end++] = rest
  return end
}

/** Bytes of the safe integer `value` as a zigzag varlong. */
export function varlongBytes(value: number): number {
  if (value >= -halfRange && value < halfRange) return varintBytes(value)
  let bytes = 1
  for (let rest = zigzag64(value) >> 7n; rest > 0n; rest >>= 7n) bytes += 1
  return bytes
}

/** Writes the safe integer `value` as a zigzag varlong and returns where it ends. */
export function putVarlong(target: Buffer, at: number, value: number): number {
  if (value >= -halfRange && value < halfRange) return putVarint(target, at, value)
  let end = at
  let rest = zigzag64(value)
  for (; rest > 127n; rest >>= 7n) target[end++] = Number(rest & 127n) | 128
  target[end++] = Number(rest)
  return end
}

function zigzag64(value: number): bigint {
  const wide = BigInt(value)
  return wide < 0n ? -2n * wide - 1n : 2n * wide
}

/** Copies `source[start, end)` to `target` at `at` and returns where it ends there. */
export function putBytes(target: Buffer, at: number, source: Buffer, start: number, end: number): number {
  if (end - start > loopLimitBytes) return at + source.copy(target, at, start, end)
  let next = at
  for (let from = start; from < end; from++) target[next++] = source[from]!
  return next
}
