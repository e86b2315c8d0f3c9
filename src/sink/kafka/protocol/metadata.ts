import type { TopicLeaders } from '../wire.ts'
import { AnswerReader, MalformedAnswer } from './answer-reader.ts'
import type { Request } from './request.ts'

/** Metadata, version 8: the last that is not flexible. Brokers have it since Kafka 2.3. */
export const metadataApi = { apiKey: 3, apiVersion: 8 }
/** Metadata, version 4: the first by which asking creates no topic. Brokers have it since Kafka 0.11. */
export const oldMetadataApi = { apiKey: 3, apiVersion: 4 }
/** What version 4 lacks: leader_epoch, offline replicas, authorized operations. */
const oldest = oldMetadataApi.apiVersion
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
export function metadataRequest(topics: readonly string[], version: 4 | 8 = 8): Request<Metadata> {
  return {
    ...metadataApi,
    apiVersion: version,
    encode: () => [encodeMetadata(topics, version)],
    parse: answer => parseMetadata(answer, topics, version),
  }
}

/** [topic] allow_auto_topic_creation (include_cluster_authorized_operations include_topic_authorized_operations) */
function encodeMetadata(topics: readonly string[], version: 4 | 8): Buffer {
  const booleans = version === oldest ? 1 : 3
  const size = topics.reduce((sum, topic) => sum + 2 + Buffer.byteLength(topic), 4 + booleans)
  const body = Buffer.alloc(size) // Zeroes: all booleans are false.
  let at = body.writeInt32BE(topics.length, 0)
  for (const topic of topics) {
    const length = body.write(topic, at + 2)
    at = body.writeInt16BE(length, at) + length
  }
  return body
}

function parseMetadata(answer: Buffer, asked: readonly string[], version: 4 | 8): Metadata {
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
  const topics = reader.array(() => parseTopic(reader, version))
  const byName = new Map(topics.map(leaders => [leaders.topic, leaders]))
  const unanswered = (topic: string) => ({ topic, errorCode: unknownServerError, leaders: [] })
  return { brokers: new Map(brokers), topics: asked.map(topic => byName.get(topic) ?? unanswered(topic)) }
}

function parseTopic(reader: AnswerReader, version: 4 | 8): TopicLeaders {
  const errorCode = reader.int16()
  const topic = reader.string()
  reader.skip(1) // is_internal
  const partitions = reader.array(() => parsePartition(reader, version))
  if (version !== oldest) reader.skip(4) // topic_authorized_operations
  const leaders = new Array<number>(partitions.length).fill(noLeader)
  for (const { partition, leader } of partitions) {
    if (!(partition in leaders))
      throw new MalformedAnswer(`${topic} has ${leaders.length} partitions and a ${partition}`)
    leaders[partition] = leader
  }
  return { topic, errorCode, leaders: errorCode === 0 ? leaders : [] }
}

/** The partition's error code adds nothing: without leader the leader is -1, and a missing replica is no obstacle. */
function parsePartition(reader: AnswerReader, version: 4 | 8): { partition: number; leader: number } {
  reader.skip(2) // error_code
  const partition = reader.int32()
  const leader = reader.int32()
  if (version !== oldest) reader.skip(4) // leader_epoch
  const lists = version === oldest ? 2 : 3 // replicas, in sync, offline
  for (let list = 0; list < lists; list += 1) reader.array(() => reader.skip(4))
  return { partition, leader }
}
