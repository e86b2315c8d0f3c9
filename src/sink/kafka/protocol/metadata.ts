import type { TopicLeaders } from '../wire.ts'
import { AnswerReader, MalformedAnswer } from './answer-reader.ts'
import type { Request } from './request.ts'

/** Metadata, version 8: the last that is not flexible. Brokers have it since Kafka 2.3. */
export const metadataApi = { apiKey: 3, apiVersion: 8 }
const unknownServerError = -1
const noLeader = -1

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export interface Metadata {
  /** Address of each live broker by node id. */
  readonly brokers: ReadonlyMap<number, BrokerAddress>
  /** One for each topic that was asked for, in that order. */
  readonly topics: readonly TopicLeaders[]
}

/** Asks for the brokers and for the leaders of `topics`, none of which it creates. */
export function metadataRequest(topics: readonly string[]): Request<Metadata> {
  return { ...metadataApi, encode: () => [encodeMetadata(topics)], parse: answer => parseMetadata(answer, topics) }
}

/** [topic] allow_auto_topic_creation include_cluster_authorized_operations include_topic_authorized_operations */
function encodeMetadata(topics: readonly string[]): Buffer {
  const size = topics.reduce((sum, topic) => sum + 2 + Buffer.byteLength(topic), 4 + 3)
  const body = Buffer.alloc(size) // Zeroes: all three booleans are false.
  let at = body.writeInt32BE(topics.length, 0)
  for (const topic of topics) {
    const length = body.write(topic, at + 2)
    at = body.writeInt16BE(length, at) + length
  }
  return body
}

function parseMetadata(answer: Buffer, asked: readonly string[]): Metadata {
  const reader = new AnswerReader(answer)
  reader.skip(4) // throttle_time_ms
  const brokers = reader.array(() => {
    const nodeId = reader.int32()
    const address = { host: reader.string(), port: reader.int32() }
    reader.nullableString() // rack
    return [nodeId, address] as const
  })
  reader.nullableString() // cluster_id
  reader.skip(4) // controller_id
  const topics = reader.array(() => parseTopic(reader))
  const byName = new Map(topics.map(leaders => [leaders.topic, leaders]))
  const unanswered = (topic: string) => ({ topic, errorCode: unknownServerError, leaders: [] })
  return { brokers: new Map(brokers), topics: asked.map(topic => byName.get(topic) ?? unanswered(topic)) }
}

function parseTopic(reader: AnswerReader): TopicLeaders {
  const errorCode = reader.int16()
  const topic = reader.string()
  reader.skip(1) // is_internal
  const partitions = reader.array(() => parsePartition(reader))
  reader.skip(4) // topic_authorized_operations
  const leaders = new Array<number>(partitions.length).fill(noLeader)
  for (const { partition, leader } of partitions) {
    if (!(partition in leaders))
      throw new MalformedAnswer(`${topic} has ${leaders.length} partitions and a ${partition}`)
    leaders[partition] = leader
  }
  return { topic, errorCode, leaders: errorCode === 0 ? leaders : [] }
}

/** The partition's error code adds nothing: without leader the leader is -1, and a missing replica is no obstacle. */
function parsePartition(reader: AnswerReader): { partition: number; leader: number } {
  reader.skip(2) // error_code
  const partition = reader.int32()
  const leader = reader.int32()
  reader.skip(4) // leader_epoch
  for (let list = 0; list < 3; list += 1) reader.array(() => reader.skip(4)) // replicas, in sync, offline
  return { partition, leader }
}
