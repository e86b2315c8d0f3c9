import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { alterTopic, deleteTopic, healthy, moveLeaders } from '../sink/kafka/conformance/cluster-admin.ts'
import { type Fault, pick, savesInKafka } from './fault.ts'
import type { Frames } from './frames.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const nothing = async () => {}
const startSignal = () => AbortSignal.timeout(120_000)
/** The cluster notices a dead broker after three seconds; then there are new leaders to be found. */
const recoveryLimitMs = 10_000

export const brokerKilled: Fault = {
  name: 'broker killed',
  recoveryLimitMs,
  async inject(session) {
    const node = pick(session, session.servers.kafka.nodes)
    await node.kill()
    return { bites: () => !node.running, heal: () => node.start(startSignal()), recoversSinceMs: Date.now() }
  },
}

/** Back before or after others have taken over. */
export const brokerRestarted: Fault = {
  name: 'broker killed and started at once',
  recoveryLimitMs: 2 * recoveryLimitMs,
  async inject(session) {
    const node = pick(session, session.servers.kafka.nodes)
    await node.kill()
    await node.start(startSignal())
    return { bites: () => true, heal: nothing, recoversSinceMs: Date.now() }
  },
}

export const brokerFrozen: Fault = {
  name: 'broker frozen',
  recoveryLimitMs: 2 * recoveryLimitMs,
  async inject(session) {
    const node = pick(session, session.servers.kafka.nodes)
    node.freeze()
    const since = Date.now()
    await sleep(8_000)
    return { bites: () => true, heal: async () => node.thaw(), recoversSinceMs: since }
  },
}

/** One replica is left: no partition takes records, nor transactions, nor checkpoints. */
export const belowMinimum: Fault = {
  name: 'below min.insync.replicas',
  recoveryLimitMs: 3 * recoveryLimitMs,
  async inject(session) {
    const away = session.servers.kafka.nodes.slice(0, 2)
    const before = session.arrivals.seen.length
    await Promise.all(away.map(node => node.kill()))
    await sleep(8_000)
    const heal = async () => {
      await Promise.all(away.map(node => node.start(startSignal())))
    }
    return { bites: () => session.arrivals.seen.length >= before, heal }
  },
}

export const leadersMoved: Fault = {
  name: 'partitions get other leaders',
  recoveryLimitMs,
  async inject(session) {
    await moveLeaders(session.servers.kafka, session.topics)
    return { bites: () => true, heal: nothing, recoversSinceMs: Date.now() }
  },
}

/** The store of the positions does not answer, the brokers do. */
export const checkpointsUnanswered: Fault = {
  name: 'checkpoints are not answered',
  recoveryLimitMs: 2 * recoveryLimitMs,
  fits: session => session.mode.delivery === 'at-least-once' && savesInKafka(session),
  async inject(session) {
    const held = new Set<Frames>()
    const links = session.linksTo('kafka')
    for (const link of links) {
      link.watcher = frames => {
        if (frames.begun.some(({ head }) => head.includes(session.checkpointTopic))) held.add(frames)
        return held.has(frames) ? 'hold' : 'pass'
      }
    }
    await sleep(8_000)
    const heal = async () => {
      for (const link of links) {
        link.watcher = undefined
        link.drop() // What was held is gone: as when the store's host was replaced.
      }
    }
    return { bites: () => held.size > 0, heal }
  },
}

/** The keys stay where they are (G2): the count of the first start is the modulus. */
export const partitionsAdded: Fault = {
  name: 'partitions added',
  recoveryLimitMs,
  async inject(session) {
    const topic = pick(session, session.topics)
    const kafka = new Kafka({ brokers: [...session.servers.kafka.brokers], logLevel: logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    try {
      const [metadata] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics
      const count = (metadata?.partitions.length ?? 0) + 1
      await admin.createPartitions({ topicPartitions: [{ topic, count }] })
    } finally {
      await admin.disconnect()
    }
    // What was learned before may be read again: by the next start.
    await session.daemons[0]?.kill()
    return { bites: () => true, heal: nothing, recoversSinceMs: Date.now() }
  },
}

/** A topic that nobody judges is gone: it is made again, and the others are served meanwhile or soon after. */
export const topicDeleted: Fault = {
  name: 'topic deleted',
  recoveryLimitMs: 3 * recoveryLimitMs,
  async inject(session) {
    const { kafka } = session.servers
    const topic = `${session.name}.scratch`
    await session.writer.scribble('scratch')
    await until(() => exists(session, topic), topic, 120_000)
    await deleteTopic(kafka, topic)
    await session.writer.scribble('scratch')
    await until(() => exists(session, topic), `${topic} again`, 120_000)
    return { bites: () => true, heal: nothing, recoversSinceMs: Date.now() }
  },
}

async function exists(session: Session, topic: string): Promise<boolean> {
  const kafka = new Kafka({ brokers: [...session.servers.kafka.brokers], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  try {
    const offsets = await admin.fetchTopicOffsets(topic).catch(() => [])
    return offsets.some(({ high }) => Number(high) > 0)
  } finally {
    await admin.disconnect()
  }
}

/** Hardly a record is as small as the topic takes now: the pipeline says so and stops, and loses nothing. */
export const sizeShrunk: Fault = {
  name: 'message size shrunk',
  recoveryLimitMs: 3 * recoveryLimitMs,
  mayEndWith: 'SINK_RECORD_TOO_LARGE',
  async inject(session) {
    const topic = pick(session, session.topics)
    const { kafka } = session.servers
    await alterTopic(kafka, topic, 'max.message.bytes', '600')
    const isTold = () => session.daemons.some(({ output }) => output.includes('SINK_RECORD_TOO_LARGE'))
    await until(isTold, 'the refusal', 60_000).catch(() => undefined)
    const told = isTold()
    const heal = async () => {
      await alterTopic(kafka, topic, 'max.message.bytes', '1048588')
      // Slots that have stopped begin again with their process.
      await Promise.all(session.daemons.filter(({ kept }) => kept).map(daemon => daemon.kill()))
    }
    return { bites: () => told, heal }
  },
}

export const kafkaFaults: readonly Fault[] = [
  brokerKilled,
  brokerRestarted,
  brokerFrozen,
  belowMinimum,
  leadersMoved,
  checkpointsUnanswered,
  partitionsAdded,
  topicDeleted,
  sizeShrunk,
]

/** Waits until every partition has all of its replicas and its preferred leader. */
export async function kafkaIsWhole(session: Session): Promise<void> {
  await healthy(session.servers.kafka, session.topics)
}
