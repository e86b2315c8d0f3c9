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

  private constructor(kind: PositionKind, token: Buffer | undefined, clusterTime: ClusterTime, sortKey: Buffer) {
    this.kind = kind
    this.token = token
    this.clusterTime = clusterTime
    this.sortKey = sortKey
  }

  /** Copies `token` (raw BSON of a resume token document). Throws a RangeError where it is not one. */
  static ofToken(token: Buffer): Position {
    const own = Buffer.from(token)
    const data = tokenData(own)
    const afterVersion = skipNumber(data, 9)
    // Token type: absent in version 0, 0 (byte 0x29) for a high-water mark, 128 (2C0100) for an event.
    const highWaterMark = data[afterVersion] === 0x29 && !isLongToken(data, afterVersion)
    const rest = skipNumber(data, afterVersion)
    const sortKey = Buffer.concat([data.subarray(1, 9), Buffer.of(0), data.subarray(rest)])
    return new Position(highWaterMark ? 'high-water-mark' : 'event', own, data.readBigUInt64BE(1), sortKey)
  }

  /** The place just before the first event of `clusterTime`. */
  static ofTime(clusterTime: ClusterTime): Position {
    const sortKey = Buffer.alloc(9)
    sortKey.writeBigUInt64BE(clusterTime)
    return new Position('time', undefined, clusterTime, sortKey)
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

/** Bytes of `_data`, the first element of a resume token document, which is hex text. */
function tokenData(token: Buffer): Buffer {
  const nameEnd = 5 + '_data'.length
  const isDataString =
    token.length > nameEnd + 5 && token[4] === 0x02 && token.toString('latin1', 5, nameEnd + 1) === '_data\0'
  if (!isDataString) throw new RangeError('resume token without _data')
  const from = nameEnd + 5
  const data = Buffer.from(token.toString('latin1', from, from + token.readInt32LE(nameEnd + 1) - 1), 'hex')
  if (data.length < 12 || data[0] !== 0x82) throw new RangeError('resume token that does not begin with a cluster time')
  return data
}

/** Offset behind the KeyString number at `at`: small integers are one type byte and up to eight bytes of value. */
function skipNumber(data: Buffer, at: number): number {
  const type = data[at] ?? 0
  if (type === 0x29) return at + 1 // zero
  if (type >= 0x2b && type <= 0x32) return at + 1 + (type - 0x2a) // positive integer of type - 0x2a bytes
  throw new RangeError('resume token of an unknown layout')
}

/** In version 0 the byte after the version is txnOpIndex, and a token longer than a high-water mark's is an event's. */
function isLongToken(data: Buffer, afterVersion: number): boolean {
  return data.length > afterVersion + 4
}
