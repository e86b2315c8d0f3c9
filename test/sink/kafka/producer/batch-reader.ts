/** What the model cluster needs to know of a record batch without compression. */
export interface ReadBatch {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isTransactional: boolean
  readonly baseSequence: number
  readonly count: number
  /** Of the records, as text. */
  readonly values: readonly string[]
}

/** Reads a record batch v2. Source: https://kafka.apache.org/documentation/#recordbatch */
export function readBatch(bytes: Buffer): ReadBatch {
  const count = bytes.readInt32BE(57)
  const values: string[] = []
  let at = 61
  const varint = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0
      value |= (byte & 127) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
  }
  for (let i = 0; i < count; i += 1) {
    const length = varint()
    const end = at + length
    at += 1 // Attributes.
    varint() // Timestamp delta: small in these tests.
    varint() // Offset delta.
    const keyLength = varint()
    at += keyLength
    const valueLength = varint()
    values.push(bytes.toString('latin1', at, at + valueLength))
    at = end
  }
  const isTransactional = (bytes.readInt16BE(21) & 0x10) !== 0
  const producer = { producerId: bytes.readBigInt64BE(43), producerEpoch: bytes.readInt16BE(51) }
  return { ...producer, isTransactional, baseSequence: bytes.readInt32BE(53), count, values }
}
