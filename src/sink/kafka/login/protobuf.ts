/** The little of Protocol Buffers that login messages need. Source: https://protobuf.dev/programming-guides/encoding */

const varintType = 0
const lengthType = 2

/** A field of text or bytes; nothing where it is empty, as proto3 does it. */
export function bytesField(number: number, value: Buffer): Buffer {
  if (value.length === 0) return Buffer.alloc(0)
  return Buffer.concat([varint(tag(number, lengthType)), varint(BigInt(value.length)), value])
}

/** A field of type uint64; nothing where it is 0. */
export function uint64Field(number: number, value: bigint): Buffer {
  return value === 0n ? Buffer.alloc(0) : Buffer.concat([varint(tag(number, varintType)), varint(value)])
}

/**
 * The value of a field of bytes: the last one where there are several, empty where there is none. Fields that are not
 * known are passed over. Throws RangeError for what is no message.
 */
export function readBytesField(message: Buffer, number: number): Buffer {
  let found = Buffer.alloc(0)
  let at = 0
  while (at < message.length) {
    const key = readVarint(message, at)
    const type = Number(key.value & 7n)
    if (type === varintType) {
      at = readVarint(message, key.end).end
      continue
    }
    const length = type === lengthType ? readVarint(message, key.end) : fixed(type, key.end)
    const end = length.end + Number(length.value)
    if (end > message.length) throw new RangeError('a field goes beyond the end of its message')
    if (type === lengthType && key.value >> 3n === BigInt(number))
      found = Buffer.from(message.subarray(length.end, end))
    at = end
  }
  return found
}

/** Types 1 and 5 are 8 and 4 bytes; the others are groups, which nobody uses any more. */
function fixed(type: number, end: number) {
  if (type !== 1 && type !== 5) throw new RangeError(`a field of wire type ${type}`)
  return { value: type === 1 ? 8n : 4n, end }
}

function tag(number: number, type: number): bigint {
  return BigInt((number << 3) | type)
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

function readVarint(message: Buffer, start: number): { value: bigint; end: number } {
  let value = 0n
  for (let i = 0; i < 10; i += 1) {
    const byte = message[start + i]
    if (byte === undefined) break
    value |= BigInt(byte & 127) << BigInt(7 * i)
    if (byte < 128) return { value, end: start + i + 1 }
  }
  throw new RangeError('a number that does not end')
}
