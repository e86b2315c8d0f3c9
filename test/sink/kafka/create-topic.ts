import type { Admin, ITopicConfig } from 'kafkajs'
import { systemClock } from '../../../src/clock.ts'

/**
 * Creates a topic and waits until the broker that is asked knows who leads each of its partitions, and their leaders know
 * it too, who hear of it a little later. A controller answers before the brokers have heard of what it did, and kafkajs's
 * own wait fails where it is told of no such topic.
 */
export async function createTopic(admin: Admin, topic: ITopicConfig): Promise<void> {
  await admin.createTopics({ topics: [topic], waitForLeaders: false })
  const isLed = async () => {
    const metadata = await admin.fetchTopicMetadata({ topics: [topic.topic] }).catch(() => undefined)
    const partitions = metadata?.topics[0]?.partitions ?? []
    if (partitions.length === 0 || partitions.some(({ leader }) => leader < 0)) return false
    return admin.fetchTopicOffsets(topic.topic).then(
      () => true,
      () => false,
    )
  }
  while (!(await isLed())) await systemClock.sleep(20)
}
