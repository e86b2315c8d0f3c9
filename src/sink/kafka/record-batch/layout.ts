/** What precedes the records of a batch. */
export const batchHeaderBytes = 61

/**
 * Offsets in the header of a record batch v2. Source: https://kafka.apache.org/documentation/#recordbatch. Those up to
 * `magic` are the same in messages of Kafka before 0.11.
 */
export const at = {
  baseOffset: 0,
  batchLength: 8,
  partitionLeaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const

/** In the attributes: readers with read_committed see the batch once its transaction is committed. */
export const transactionalBit = 1 << 4
