import type { Admin, ITopicConfig } from 'kafkajs'
import { type Clock, steady } from '../../clock.ts'
import { Configuration, Retryable } from '../../errors.ts'
import { isTopicName, type TopicSpec } from '../sink.ts'
import { protocolCode } from './classify.ts'

/** ConfigResourceTypes.TOPIC, which kafkajs does not export to ES modules. */
const topicResource = 2
const unknownTopic = 3
const leaderNotAvailable = 5
const leadersLimitMs = 30_000
const pollMs = 100
const createTimeoutMs = 10_000
const causeLimit = 8

export interface TopicFacts {
  readonly partitions: number
  /** max.message.bytes; undefined where the user may not read it. */
  readonly maxMessageBytes: number | undefined
  readonly created: boolean
}

/** Throws Configuration SINK_TOPIC_INVALID for what Kafka would not take as a topic's name. */
export function checkTopicName(topic: string): void {
  if (isTopicName(topic)) return
  throw new Configuration('SINK_TOPIC_INVALID', `"${topic.slice(0, 300)}" cannot be the name of a Kafka topic`)
}

/**
 * Creates `topic` as `spec` says where it does not exist, waits until every partition has a leader, and says what it
 * is like. Others may create it at the same time. Throws Configuration SINK_TOPIC_INVALID or SINK_UNSUPPORTED, Retryable,
 * or kafkajs's errors.
 */
export async function ensureTopic(
  admin: Admin,
  topic: string,
  spec: TopicSpec,
  clock: Clock,
  signal: AbortSignal,
): Promise<TopicFacts> {
  checkTopicName(topic)
  let partitions = await partitionCount(admin, topic)
  let created = false
  if (partitions === undefined) {
    created = await create(admin, topic, spec)
    partitions = await waitForLeaders(admin, topic, clock, signal)
  }
  return { partitions, maxMessageBytes: await maxMessageBytes(admin, topic), created }
}

/** false: somebody else was first, which is as good. */
async function create(admin: Admin, topic: string, spec: TopicSpec): Promise<boolean> {
  const topics = [toTopicConfig(topic, spec)]
  try {
    // kafkajs's own waiting for leaders gives up at a broker that has not heard of the topic yet.
    return await admin.createTopics({ topics, timeout: createTimeoutMs, waitForLeaders: false })
  } catch (error) {
    if (!isUnlisted(error)) throw error
    const partitions = spec.partitions === undefined ? '' : ` with ${spec.partitions} partitions`
    const message = `topic ${topic} does not exist, and the target does not offer to create it: create it${partitions}`
    throw new Configuration('SINK_UNSUPPORTED', message, { cause: error })
  }
}

/** The target does not list the API: services that speak Kafka's protocol have some administrative APIs only. */
function isUnlisted(error: unknown): boolean {
  let link = error // kafkajs wraps it, once or twice.
  for (let depth = 0; depth < causeLimit && link instanceof Error; depth++) {
    if (link.name === 'KafkaJSServerDoesNotSupportApiKey') return true
    link = link.cause
  }
  return false
}

function toTopicConfig(topic: string, spec: TopicSpec): ITopicConfig {
  return {
    topic,
    numPartitions: spec.partitions ?? -1,
    replicationFactor: spec.replication ?? -1,
    configEntries: Object.entries(spec.config).map(([name, value]) => ({ name, value })),
  }
}

/** undefined while the topic does not exist, or one of its partitions has no leader. */
async function partitionCount(admin: Admin, topic: string): Promise<number | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const found = topics.find(({ name }) => name === topic)
    return found?.partitions.every(({ leader }) => leader >= 0) ? found.partitions.length : undefined
  } catch (error) {
    const code = protocolCode(error)
    if (code === unknownTopic || code === leaderNotAvailable) return undefined
    throw error
  }
}

async function waitForLeaders(admin: Admin, topic: string, given: Clock, signal: AbortSignal): Promise<number> {
  const clock = steady(given)
  const untilMs = clock.nowMs() + leadersLimitMs
  for (;;) {
    const partitions = await partitionCount(admin, topic)
    if (partitions !== undefined) return partitions
    if (clock.nowMs() >= untilMs) {
      throw new Retryable('SINK_UNAVAILABLE', `topic ${topic}: a partition has no leader after ${leadersLimitMs} ms`)
    }
    await clock.sleep(pollMs, signal)
  }
}

/** Reading configurations is a right of its own, and not every service offers it: without it we only lose the knowledge of the limit. */
async function maxMessageBytes(admin: Admin, topic: string): Promise<number | undefined> {
  const name = 'max.message.bytes'
  try {
    const { resources } = await admin.describeConfigs({
      resources: [{ type: topicResource, name: topic, configNames: [name] }],
      includeSynonyms: false,
    })
    const value = Number(resources[0]?.configEntries.find(({ configName }) => configName === name)?.configValue)
    return Number.isSafeInteger(value) && value > 0 ? value : undefined
  } catch (error) {
    if (protocolCode(error) !== undefined || isUnlisted(error)) return undefined
    throw error
  }
}
