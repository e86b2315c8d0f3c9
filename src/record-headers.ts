import type { Headers, OutRecord, Records } from './record.ts'

/**
 * Headers as a Kafka record (format v2) holds them: their number, then for each the length of its name, the name in
 * UTF-8, the length of its value and the value; numbers are zigzag varints.
 * Source: https://kafka.apache.org/documentation/#recordheader
 */
export function packHeaders(headers: Headers): Buffer {
  const parts: Buffer[] = []
  const entries = Object.entries(headers)
  parts.push(varint(entries.length))
  for (const [name, value] of entries) {
    const nameBytes = Buffer.from(name)
    const valueBytes = typeof value === 'string' ? Buffer.from(value) : value
    parts.push(varint(nameBytes.length), nameBytes, varint(valueBytes.length), valueBytes)
  }
  return Buffer.concat(parts)
}

/** Headers that are compared as bytes and so are no text. */
const binary: ReadonlySet<string> = new Set(['m2k.position'])

/** The headers in `bytes[start, end)`; what is text comes back as a string. Throws a RangeError where they are malformed. */
export function unpackHeaders(bytes: Buffer, start: number, end: number): Headers {
  const headers: [string, string | Buffer][] = []
  const cursor = { at: start }
  const number = () => readVarint(bytes, cursor, end)
  const slice = (): Buffer => {
    const from = skip(cursor, number(), end)
    return bytes.subarray(from, cursor.at)
  }
  for (let left = number(); left > 0; left--) {
    const name = slice().toString()
    const value = slice()
    headers.push([name, binary.has(name) ? Buffer.from(value) : value.toString()])
  }
  return Object.fromEntries(headers) // Not one by one: `__proto__` is a name like any other.
}

/**
 * The value of the first header of that name in `bytes[start, end)`, as a view; undefined where there is none, or it is
 * null. Makes nothing of the others. Throws a RangeError where they are malformed.
 */
export function findHeader(bytes: Buffer, start: number, end: number, name: Buffer): Buffer | undefined {
  const cursor = { at: start }
  for (let left = readVarint(bytes, cursor, end); left > 0; left--) {
    const nameBytes = readVarint(bytes, cursor, end)
    const nameAt = skip(cursor, nameBytes, end)
    const valueBytes = readVarint(bytes, cursor, end)
    const valueAt = skip(cursor, Math.max(valueBytes, 0), end)
    if (nameBytes !== name.length || name.compare(bytes, nameAt, nameAt + nameBytes) !== 0) continue
    return valueBytes < 0 ? undefined : bytes.subarray(valueAt, cursor.at)
  }
  return undefined
}

interface Cursor {
  at: number
}

/** A zigzag varint of at most 32 bits. */
function readVarint(bytes: Buffer, cursor: Cursor, end: number): number {
  let value = 0
  for (let shift = 0; cursor.at < end && shift < 35; shift += 7) {
    const byte = bytes[cursor.at++]!
    value |= (byte & 127) << shift
    if (byte < 128) return (value >>> 1) ^ -(value & 1)
  }
  throw new RangeError('malformed record headers')
}

/** Where the `length` bytes began that are passed over. */
function skip(cursor: Cursor, length: number, end: number): number {
  if (length < 0 || cursor.at + length > end) throw new RangeError('malformed record headers')
  cursor.at += length
  return cursor.at - length
}

/** Record `i` as an object of its own. */
export function outRecord(records: Records, i: number): OutRecord {
  const { bytes, starts, valueStarts, headerStarts } = records
  const part = (from: number, to: number): Buffer => Buffer.from(bytes.subarray(from, to))
  return {
    topic: records.topics[i]!,
    partition: records.partitions[i]!,
    key: part(starts[i]!, valueStarts[i]!),
    value: records.tombstones[i] === 1 ? null : part(valueStarts[i]!, headerStarts[i]!),
    headers: unpackHeaders(bytes, headerStarts[i]!, starts[i + 1]!),
    timestampMs: records.timestampsMs[i]!,
  }
}

/** The way back, in memory of its own: for sources of single records, such as tests. */
export function packRecords(list: readonly OutRecord[]): Records {
  const headers = list.map(record => packHeaders(record.headers))
  const starts = new Int32Array(list.length + 1)
  const valueStarts = new Int32Array(list.length)
  const headerStarts = new Int32Array(list.length)
  list.forEach(({ key, value }, i) => {
    valueStarts[i] = starts[i]! + key.length
    headerStarts[i] = valueStarts[i]! + (value?.length ?? 0)
    starts[i + 1] = headerStarts[i]! + headers[i]!.length
  })
  return {
    count: list.length,
    bytes: Buffer.concat(list.flatMap(({ key, value }, i) => [key, value ?? Buffer.alloc(0), headers[i]!])),
    starts,
    valueStarts,
    headerStarts,
    tombstones: Uint8Array.from(list, ({ value }) => (value === null ? 1 : 0)),
    timestampsMs: Float64Array.from(list, ({ timestampMs }) => timestampMs),
    topics: list.map(({ topic }) => topic),
    partitions: Int32Array.from(list, ({ partition }) => partition),
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = (value << 1) >>> 0 // Lengths are never negative.
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** Generation, cluster time and kind; what follows is of the resume token, which holds the document's key (G9). */
const shownPositionBytes = 4 + 9

/** A header m2k.position for messages: in hex, as far as it names the moment and not the document. */
export function positionText(position: Buffer): string {
  const shown = position.toString('hex', 0, shownPositionBytes)
  return position.length > shownPositionBytes ? `${shown}…` : shown
}

const generationBytes = 4

/**
 * The bytes that order as positions do (`Position.sortKey`), from a header m2k.position as encode/headers.ts writes it,
 * whatever its generation and record number. undefined where it is not one of those.
 */
export function sortKeyOfHeader(header: Buffer): Buffer | undefined {
  const end = header.length - 2 // Behind it 00 and the record number.
  if (end < shownPositionBytes || header[end] !== 0) return undefined
  const sortKey = Buffer.alloc(end - generationBytes)
  let length = header.copy(sortKey, 0, generationBytes, shownPositionBytes)
  for (let at = shownPositionBytes; at < end; at++) {
    sortKey[length++] = header[at]!
    if (header[at] !== 0) continue
    at += 1
    if (header[at] !== 0xff || at === end) return undefined
  }
  return sortKey.subarray(0, length)
}
