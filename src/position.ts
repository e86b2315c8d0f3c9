/** Seconds and increment of a MongoDB cluster time in one number: `(t << 32) | i`. */
export type ClusterTime = bigint

export type PositionKind = 'event' | 'high-water-mark' | 'time'

/** A position as a checkpoint stores it. */
export interface StoredPosition {
  readonly kind: PositionKind
  /** The resume token document, raw BSON in base64; null for a bare cluster time. */
  readonly token: string | null
  /** Cluster time as decimal text: JSON numbers cannot hold 64 bits. */
  readonly clusterTime: string
}

/**
 * A place in MongoDB's history, immutable and comparable. Made from a resume token (the place just after that event,
 * or a high-water mark) or from a bare cluster time (the place just before its first event). The token travels whole:
 * with `_data` alone, ids that are Decimal128 or large longs cannot be resumed (50810, 280).
 *
 * Token layout (MongoDB's resume_token.cpp; KeyString encoding): type byte 0x82, eight bytes cluster time, version,
 * token type (from version 1 on), txnOpIndex, fromInvalidate, UUID, documentKey or event identifier.
 */
export class Position {
  readonly kind: PositionKind
  /** The resume token document as raw BSON; undefined for a bare cluster time. */
  readonly token: Buffer | undefined
  readonly clusterTime: ClusterTime
  /** Bytes that order as the positions do: cluster time ‖ 00 ‖ the token from txnOpIndex on. */
  readonly sortKey: Buffer
  /** The token to resume after; undefined: by cluster time, inclusive, dropping what is not after this place. */
  readonly resumeToken: Buffer | undefined

  private constructor(
    { kind, token, clusterTime, sortKey }: Pick<Position, 'kind' | 'token' | 'clusterTime' | 'sortKey'>,
    resumes: boolean,
  ) {
    this.kind = kind
    this.token = token
    this.clusterTime = clusterTime
    this.sortKey = sortKey
    this.resumeToken = resumes ? token : undefined
  }

  /** Copies `token` (raw BSON of a resume token document). Throws a RangeError where it is not one. */
  static ofToken(token: Buffer): Position {
    const own = Buffer.from(token)
    const sortKey = Buffer.allocUnsafeSlow(sortKeyLimitBytes(0, own.length))
    const length = writeSortKey(own, 0, own.length, sortKey)
    const dataBytes = (dataEnd(own, 0, own.length) - textStart) / 2
    const afterVersion = skipNumber(own, textStart, timeEnd)
    // Token type: absent in version 0, 0 (byte 0x29) for a high-water mark, 128 (2C0100) for an event.
    const highWaterMark = byteAt(own, textStart, afterVersion) === 0x29 && dataBytes <= afterVersion + longTokenBytes
    const kind = highWaterMark ? 'high-water-mark' : 'event'
    const clusterTime = sortKey.readBigUInt64BE(0)
    return new Position({ kind, token: own, clusterTime, sortKey: sortKey.subarray(0, length) }, true)
  }

  /** The place just before the first event of `clusterTime`. */
  static ofTime(clusterTime: ClusterTime): Position {
    const sortKey = Buffer.alloc(9)
    sortKey.writeBigUInt64BE(clusterTime)
    return new Position({ kind: 'time', token: undefined, clusterTime, sortKey }, false)
  }

  /** Throws a RangeError where `stored` is not what `toJSON` wrote. */
  static parse(stored: StoredPosition): Position {
    if (stored.token === null && stored.kind === 'time') return Position.ofTime(BigInt(stored.clusterTime))
    if (typeof stored.token !== 'string') throw new RangeError('position without resume token')
    const position = Position.ofToken(Buffer.from(stored.token, 'base64'))
    if (position.clusterTime !== BigInt(stored.clusterTime)) {
      throw new RangeError('cluster time and resume token of the position disagree')
    }
    return position
  }

  /** The same place, stored the same, for a stream that its token is not of: resumed by cluster time (decision 6). */
  get byTime(): Position {
    return new Position(this, false)
  }

  /** Negative: this comes before `other`; 0: the same place; positive: after. */
  compare(other: Position): number {
    return Buffer.compare(this.sortKey, other.sortKey)
  }

  /** Milliseconds since the Unix epoch, exact to the second as MongoDB's cluster time is. */
  get timeMs(): number {
    return Number(this.clusterTime >> 32n) * 1000
  }

  toJSON(): StoredPosition {
    return {
      kind: this.kind,
      token: this.token?.toString('base64') ?? null,
      clusterTime: this.clusterTime.toString(),
    }
  }

  toString(): string {
    return `${new Date(this.timeMs).toISOString()} (${this.clusterTime >> 32n}:${this.clusterTime & 0xffffffffn})`
  }
}

/** In version 0 the byte after the version is txnOpIndex, and a token longer than a high-water mark's is an event's. */
const longTokenBytes = 4
/** A resume token document begins with its length, then `_data` as text: type, name, length of the text. */
const dataHead = Buffer.from('\x02_data\0', 'latin1')
const textStart = 4 + dataHead.length + 4
const clusterTimeType = 0x82
const leastDataBytes = 12
/** Type byte and cluster time. */
const timeEnd = 9
const noHex = 256
/** The byte that two hex digits spell, by the first digit's character code and the second's times 256; else `noHex`. */
const pairs = new Uint16Array(65_536).fill(noHex)
for (const high of '0123456789abcdefABCDEF') {
  for (const low of '0123456789abcdefABCDEF') {
    pairs[high.charCodeAt(0) | (low.charCodeAt(0) << 8)] = Number.parseInt(high + low, 16)
  }
}

/** Room that `writeSortKey` needs for the token `bytes[start, end)`. */
export function sortKeyLimitBytes(start: number, end: number): number {
  return (end - start) >>> 1
}

/**
 * Writes the sort key of the resume token document `bytes[start, end)` (raw BSON) to `target`, which has room for
 * `sortKeyLimitBytes`, and returns its length: what `Position.ofToken(token).sortKey` is, without making anything.
 * Throws a RangeError where the token is not one.
 */
export function writeSortKey(bytes: Buffer, start: number, end: number, target: Buffer): number {
  const from = start + textStart
  const textEnd = dataEnd(bytes, start, end)
  const rest = skipNumber(bytes, from, skipNumber(bytes, from, timeEnd))
  let length = 0
  for (let i = 1; i < timeEnd; i++) target[length++] = byteAt(bytes, from, i)
  target[length++] = 0
  for (let at = from + 2 * rest; at < textEnd; at += 2) {
    const byte = pairs[bytes[at]! | (bytes[at + 1]! << 8)]!
    if (byte === noHex) throw new RangeError('resume token whose _data is not hex')
    target[length++] = byte
  }
  return length
}

/** Where the hex text of `_data`, the first element of a resume token document, ends. */
function dataEnd(token: Buffer, start: number, end: number): number {
  const from = start + textStart
  if (from + 2 * leastDataBytes >= end) throw new RangeError('resume token without _data')
  for (let i = 0; i < dataHead.length; i++) {
    if (token[start + 4 + i] !== dataHead[i]) throw new RangeError('resume token without _data')
  }
  const textEnd = from + token.readInt32LE(from - 4) - 1
  const length = textEnd - from
  if (textEnd >= end || length < 2 * leastDataBytes || length % 2 !== 0) {
    throw new RangeError('resume token whose _data has a false length')
  }
  if (byteAt(token, from, 0) !== clusterTimeType) {
    throw new RangeError('resume token that does not begin with a cluster time')
  }
  return textEnd
}

/** Byte `i` of the hex text at `from`. */
function byteAt(token: Buffer, from: number, i: number): number {
  const byte = pairs[token[from + 2 * i]! | (token[from + 2 * i + 1]! << 8)]!
  if (byte === noHex) throw new RangeError('resume token whose _data is not hex')
  return byte
}

/** Index behind the KeyString number at byte `i`: small integers are one type byte and up to eight bytes of value. */
function skipNumber(token: Buffer, from: number, i: number): number {
  const type = byteAt(token, from, i)
  if (type === 0x29) return i + 1 // zero
  if (type >= 0x2b && type <= 0x32) return i + 1 + (type - 0x2a) // positive integer of type - 0x2a bytes
  throw new RangeError('resume token of an unknown layout')
}
