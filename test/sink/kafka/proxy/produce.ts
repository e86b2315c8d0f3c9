import type { OutRecord } from '../../../../src/record.ts'
import { packRecords } from '../../../../src/record-headers.ts'
import { BodyWriter } from '../../../../src/sink/kafka/protocol/body-writer.ts'
import { recordBatches } from '../../../../src/sink/kafka/reading/record-batches.ts'
import { BufferPool } from '../../../../src/sink/kafka/record-batch/buffer-pool.ts'
import { at } from '../../../../src/sink/kafka/record-batch/layout.ts'
import { RecordBatch } from '../../../../src/sink/kafka/record-batch/record-batch.ts'

const codecMask = 7
const recordBatchMagic = 2
const buffers = new BufferPool()

/** What a target does with the records it is given. */
export interface ProduceRules {
  /** strip: they are gone when somebody reads; refuse: INVALID_RECORD. Absent: kept. */
  readonly headers?: 'strip' | 'refuse'
  /** The codecs that it takes, as numbers; others are UNSUPPORTED_COMPRESSION_TYPE. Absent: all. */
  readonly codecs?: readonly number[]
  /** What a partition takes in a second. */
  readonly partitionBytesPerSecond?: number
  /** What happens beyond: the answer waits and says so, as Kafka does by quota, or is an error. */
  readonly beyond?: 'throttle' | 'error'
  /** A request that would have to wait longer is a POLICY_VIOLATION, as with Event Hubs. Absent: it waits. */
  readonly throttleLimitMs?: number
}

const invalidRecord = 87
const unsupportedCompression = 76

/** The records of one partition in a Produce request. */
export interface Part {
  readonly topic: string
  readonly partition: number
  readonly bytes: Buffer
}

/** A Produce request of version 3 to 8, in its parts. */
export interface ProduceFrame {
  /** Everything before the topics. */
  readonly head: Buffer
  readonly parts: readonly Part[]
}

export function readProduce(frame: Buffer): ProduceFrame {
  let place = 12
  const string = (): string => {
    const length = frame.readInt16BE(place)
    const text = frame.toString('utf8', place + 2, place + 2 + Math.max(length, 0))
    place += 2 + Math.max(length, 0)
    return text
  }
  const int32 = (): number => {
    place += 4
    return frame.readInt32BE(place - 4)
  }
  string() // client_id
  string() // transactional_id
  place += 6 // acks, timeout_ms
  const head = frame.subarray(0, place)
  const parts: Part[] = []
  for (let topics = int32(); topics > 0; topics--) {
    const topic = string()
    for (let partitions = int32(); partitions > 0; partitions--) {
      const partition = int32()
      const length = int32()
      parts.push({ topic, partition, bytes: frame.subarray(place, place + length) })
      place += length
    }
  }
  return { head, parts }
}

/** The error that the target answers; undefined: it takes the part. */
export function errorOf({ bytes }: Part, { headers, codecs }: ProduceRules): number | undefined {
  const codec = bytes.readInt16BE(at.attributes) & codecMask
  if (bytes[at.magic] === recordBatchMagic && codecs?.includes(codec) === false) return unsupportedCompression
  if (headers !== 'refuse') return undefined
  const hasHeaders = [...recordBatches(bytes)].some(batch => batch.records().some(record => record.headers[0] !== 0))
  return hasHeaders ? invalidRecord : undefined
}

/** The same records with no headers, under the same producer and sequence. */
export function withoutHeaders(part: Part): Part {
  const { topic, partition, bytes } = part
  const [batch] = recordBatches(bytes)
  const records = (batch?.records() ?? []).map(({ key, value, timestampMs }): OutRecord => {
    return { topic, partition, key: key ?? Buffer.alloc(0), value, headers: {}, timestampMs }
  })
  const packed = packRecords(records)
  const bare = new RecordBatch(topic, partition, buffers)
  for (let i = 0; i < packed.count; i++) bare.append(packed, i)
  const [id, epoch] = [bytes.readBigInt64BE(at.producerId), bytes.readInt16BE(at.producerEpoch)]
  const sealed = bare.seal(id, epoch, bytes.readInt32BE(at.baseSequence), 'none')
  if (sealed instanceof Promise) throw new Error('not compressed, so at once')
  return { topic, partition, bytes: Buffer.from(sealed) }
}

/** The request of those parts, each as a topic of its own. */
export function writeProduce({ head, parts }: ProduceFrame): Buffer {
  const count = Buffer.alloc(4)
  count.writeInt32BE(parts.length)
  const written = parts.map(({ topic, partition, bytes }) => {
    const between = Buffer.alloc(14 + Buffer.byteLength(topic))
    let place = between.writeInt16BE(Buffer.byteLength(topic), 0)
    place += between.write(topic, place)
    for (const number of [1, partition, bytes.length]) place = between.writeInt32BE(number, place)
    return Buffer.concat([between, bytes])
  })
  const frame = Buffer.concat([head, count, ...written])
  frame.writeInt32BE(frame.length - 4, 0)
  return frame
}

/** The body of an answer of that version, with that error for every part. */
export function refuseProduce(parts: readonly Part[], errorCode: number, version: number): Buffer {
  const topics = [...Map.groupBy(parts, ({ topic }) => topic)]
  const body = new BodyWriter()
  body.array(topics, ([topic, ofTopic]) => {
    body.string(topic).array(ofTopic, ({ partition }) => {
      body.int32(partition).int16(errorCode).int64(-1n).int64(-1n) // base_offset, log_append_time_ms
      if (version >= 5) body.int64(-1n) // log_start_offset
      if (version >= 8) body.int32(0).string(null) // No record errors, error_message.
    })
  })
  return body.int32(0).bytes // throttle_time_ms
}
