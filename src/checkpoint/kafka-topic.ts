import type { Admin } from 'kafkajs'
import type { Clock } from '../clock.ts'
import { Configuration } from '../errors.ts'

export interface CheckpointTopic {
  readonly topic: string
  /** One partition per slot. */
  readonly slots: number
  /** undefined: the broker's default. */
  readonly replication: number | undefined
}

/** ConfigResourceTypes.TOPIC, which kafkajs does not export to ES modules. */
const topicResource = 2
const unknownTopic = 3
const leaderNotAvailable = 5
/** INVALID_CONFIG and POLICY_VIOLATION. */
const refusals: ReadonlySet<unknown> = new Set([40, 44])
const createTimeoutMs = 10_000
const pollMs = 100

/** With Kafka's defaults a start would read gigabytes of old positions: segments are kept small and cleaned soon. */
const settings: Readonly<Record<string, string>> = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(16 << 20),
  'segment.ms': '600000',
  'min.cleanable.dirty.ratio': '0.01',
  'max.compaction.lag.ms': '600000',
  'delete.retention.ms': '600000',
}

/** Whether there is a topic of that name. Throws kafkajs's errors. */
export async function topicExists(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.fetchTopicMetadata({ topics: [topic] })
    return true
  } catch (error) {
    if (codeOf(error) === unknownTopic) return false
    throw error
  }
}

/** Whether all its partitions have leaders, as the broker knows that is asked. */
async function hasLeaders(admin: Admin, topic: string): Promise<boolean> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return topics[0]?.partitions.every(({ leader }) => leader >= 0) ?? false
  } catch (error) {
    const code = codeOf(error)
    if (code === unknownTopic || code === leaderNotAvailable) return false
    throw error
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/**
 * Others may create it at the same time. Ends when the brokers know of it. Throws Configuration CHECKPOINT_TOPIC where
 * the target does not allow the settings, or kafkajs's errors.
 */
export async function createCheckpointTopic(
  admin: Admin,
  wanted: CheckpointTopic,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { topic, slots, replication } = wanted
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  const config = { topic, numPartitions: slots, replicationFactor: replication ?? -1, configEntries }
  try {
    await admin.createTopics({ topics: [config], timeout: createTimeoutMs, waitForLeaders: false })
  } catch (error) {
    throw refusesSettings(error) ? refused(topic, error) : error
  }
  // kafkajs's own wait gives up at a broker that has not heard of the topic yet.
  while (!(await hasLeaders(admin, topic))) await clock.sleep(pollMs, signal)
}

/** The error of one topic is inside of one for all that were to be created. */
function refusesSettings(error: unknown): boolean {
  const errors: readonly unknown[] = error instanceof Error && 'errors' in error ? (error.errors as unknown[]) : [error]
  return errors.some(each => refusals.has(codeOf(each)))
}

function refused(topic: string, cause: unknown): Configuration {
  const wanted = Object.entries(settings).map(([name, value]) => `${name}=${value}`)
  const message = `the target does not create topic ${topic} with ${wanted.join(', ')}: set checkpoint.store: mongodb`
  return new Configuration('CHECKPOINT_TOPIC', message, { cause })
}

/**
 * At each start: with another cleanup policy Kafka would delete checkpoints. Throws Configuration CHECKPOINT_TOPIC, which
 * names what to set, CHECKPOINT_MISMATCH, or kafkajs's errors.
 */
export async function verifyCheckpointTopic(admin: Admin, { topic, slots }: CheckpointTopic): Promise<void> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  const partitions = topics[0]?.partitions.length ?? 0
  if (partitions !== slots) {
    const message = `topic ${topic} has ${partitions} partitions, one for each slot, and ${slots} slots are configured`
    throw new Configuration('CHECKPOINT_MISMATCH', message)
  }
  const wrong = await differences(admin, topic)
  if (wrong.length > 0) {
    const changes = wrong.map(({ name, is }) => `${name}=${settings[name]} (is ${is})`).join(', ')
    throw new Configuration('CHECKPOINT_TOPIC', `topic ${topic} needs ${changes}`)
  }
}

async function differences(admin: Admin, topic: string): Promise<{ name: string; is: string }[]> {
  const { resources } = await admin.describeConfigs({
    resources: [{ type: topicResource, name: topic, configNames: Object.keys(settings) }],
    includeSynonyms: false,
  })
  const present = new Map(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]))
  return (
    Object.entries(settings)
      .map(([name, value]) => ({ name, value, is: present.get(name) }))
      // A broker too old to know a setting does not show it, and cannot be asked for it.
      .filter(({ value, is }) => is !== undefined && !isSame(value, is))
      .map(({ name, is }) => ({ name, is: String(is) }))
  )
}

/** Brokers write 0.01 as they like. */
function isSame(wanted: string, is: string): boolean {
  return wanted === is || (Number.isFinite(Number(wanted)) && Number(wanted) === Number(is))
}
