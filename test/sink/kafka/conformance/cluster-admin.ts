import { type Admin, Kafka, logLevel } from 'kafkajs'
import type { BrokerCluster } from '../../../../src/services/services.ts'
import { until } from './until.ts'

/** ConfigResourceTypes.TOPIC, which kafkajs does not export to ES modules. */
const topicResource = 2

/** Asks those nodes that run; each question with a client of its own, which knows nothing that was true before. */
async function ask<T>(cluster: BrokerCluster, question: (admin: Admin) => Promise<T>): Promise<T> {
  const brokers = cluster.nodes.filter(node => node.running).map(({ address }) => address)
  const retry = { retries: 20, initialRetryTime: 200, maxRetryTime: 1_000 }
  const kafka = new Kafka({
    brokers,
    requestTimeout: 5_000,
    enforceRequestTimeout: true,
    logLevel: logLevel.NOTHING,
    retry,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await question(admin)
  } finally {
    await admin.disconnect()
  }
}

interface PartitionState {
  readonly topic: string
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly inSync: readonly number[]
}

async function partitionStates(cluster: BrokerCluster, topics: readonly string[]): Promise<PartitionState[]> {
  const metadata = await ask(cluster, admin => admin.fetchTopicMetadata({ topics: [...topics] }))
  return metadata.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionId, leader, replicas, isr }) => {
      return { topic: name, partition: partitionId, leader, replicas, inSync: isr }
    }),
  )
}

/** Waits until every partition has all of its replicas in sync and its preferred leader, so that any node may go. */
export async function healthy(cluster: BrokerCluster, topics: readonly string[]): Promise<void> {
  await until(
    async () => {
      const states = await partitionStates(cluster, topics).catch(() => [])
      const isWhole = ({ leader, replicas, inSync }: PartitionState) =>
        inSync.length === replicas.length && leader === replicas[0]
      return states.length > 0 && states.every(isWhole)
    },
    `all replicas of ${topics.join(', ')} in sync`,
  )
}

/** Gives every partition to the next of its replicas, and waits until that one leads it. No node fails. */
export async function moveLeaders(cluster: BrokerCluster, topics: readonly string[]): Promise<void> {
  const states = await partitionStates(cluster, topics)
  const wanted = topics.map(topic => ({
    topic,
    partitionAssignment: states
      .filter(state => state.topic === topic)
      .map(({ partition, replicas: [first = 0, ...others] }) => ({ partition, replicas: [...others, first] })),
  }))
  await ask(cluster, admin => admin.alterPartitionReassignments({ topics: wanted }))
  // The preferred leader is the first replica; the cluster gives it its partitions within a second.
  await until(async () => {
    const now = await partitionStates(cluster, topics).catch(() => [])
    const moved = now.filter(({ topic, partition, leader }) => leader !== leaderOf(states, topic, partition))
    return moved.length === states.length
  }, 'other leaders')
}

function leaderOf(states: readonly PartitionState[], topic: string, partition: number): number | undefined {
  return states.find(state => state.topic === topic && state.partition === partition)?.leader
}

export async function deleteTopic(cluster: BrokerCluster, topic: string): Promise<void> {
  await ask(cluster, admin => admin.deleteTopics({ topics: [topic] }))
}

export async function alterTopic(cluster: BrokerCluster, topic: string, name: string, value: string): Promise<void> {
  const resource = { type: topicResource, name: topic, configEntries: [{ name, value }] }
  await ask(cluster, admin => admin.alterConfigs({ validateOnly: false, resources: [resource] }))
}
