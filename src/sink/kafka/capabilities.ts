import type { Admin } from 'kafkajs'
import { protocolCode, verdictOf } from './classify.ts'

/** What the topics of a target can be, as it said itself; undefined: it did not say. */
export interface TopicAnswers {
  /** A topic may have `cleanup.policy: compact`. */
  readonly compaction: boolean | undefined
  /** A topic may be given more partitions. */
  readonly growing: boolean | undefined
}

const questionTimeoutMs = 5_000
const invalidPartitions = 37

/**
 * Whether the target would create `topic` compacted, asked with `validate_only` (KIP-4), twice: plain and compacted. It
 * does not do so where only the compacted one is refused; where the plain one is refused too, that says nothing about
 * compaction. Only for targets that are known to create nothing then: some that speak Kafka's protocol do all the same
 * (streamnative/kop pull 244). The user needs the right Create.
 */
export async function asksCompaction(admin: Admin, topic: string): Promise<boolean | undefined> {
  const takes = (config: Readonly<Record<string, string>>) => wouldCreate(admin, topic, config)
  if ((await takes({})) !== true) return undefined
  return await takes({ 'cleanup.policy': 'compact' })
}

async function wouldCreate(
  admin: Admin,
  topic: string,
  config: Readonly<Record<string, string>>,
): Promise<boolean | undefined> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  const topics = [{ topic, numPartitions: 1, replicationFactor: -1, configEntries }]
  const question = { topics, validateOnly: true, waitForLeaders: false, timeout: questionTimeoutMs }
  try {
    return (await admin.createTopics(question)) || undefined // false: there is a topic of that name.
  } catch (error) {
    return verdictOf(error) === 'rejected' ? false : undefined
  }
}

/**
 * Whether the target adds partitions: `topic` is asked to have as many as it has. Whoever adds any says that it has so
 * many already, INVALID_PARTITIONS; nobody changes anything. With one more and `validate_only` some brokers would add
 * it, Kafka 2.8 to 3.2 with KRaft among them (KAFKA-13861). The user needs the right Alter on the topic.
 */
export async function asksGrowing(admin: Admin, topic: string): Promise<boolean | undefined> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    const count = topics.find(({ name }) => name === topic)?.partitions.length
    if (count === undefined) return undefined
    const topicPartitions = [{ topic, count }]
    await admin.createPartitions({ topicPartitions, validateOnly: true, timeout: questionTimeoutMs })
    return undefined // It takes everything: that says nothing.
  } catch (error) {
    if (protocolCode(error) === invalidPartitions) return true
    return verdictOf(error) === 'rejected' ? false : undefined
  }
}
