import { setTimeout as sleep } from 'node:timers/promises'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import type { BrokerNode } from '../../src/services/services.ts'
import { alterTopic, deleteTopic, healthy, moveLeaders } from '../sink/kafka/conformance/cluster-admin.ts'
import { type Fault, missedWork, pick, savesInKafka, underWay } from './fault.ts'
import { commits, isCommit } from './faults-at-seams.ts'
import type { Frames } from './frames.ts'
import type { Session } from './session.ts'
import { until } from './until.ts'

const startSignal = () => AbortSignal.timeout(120_000)
/** The cluster notices a dead broker after three seconds; then there are new leaders to be found. */
const recoveryLimitMs = 10_000
/** About as long as a commit takes. */
const commitMs = 10
const commitLimitMs = 60_000
/** A connection ends with its process, on the same machine: at once. */
const lossLimitMs = 5_000
const changeLimitMs = 30_000

export const brokerKilled: Fault = {
  name: 'broker killed',
  recoveryLimitMs,
  kills: true,
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
  kills: true,
  async inject(session) {
    const node = pick(session, session.servers.kafka.nodes)
    const felt = await restart(session, node, node.kill())
    return { bites: () => felt, recoversSinceMs: Date.now() }
  },
}

/** The coordinator of a transaction goes while it carries out, or has just carried out, what it was told: EndTxn. */
export const brokerRestartedInCommit: Fault = {
  name: 'broker killed during a commit, and started at once',
  recoveryLimitMs: 2 * recoveryLimitMs,
  kills: true,
  fits: commits,
  async inject(session) {
    const links = session.linksTo('kafka')
    const nodes = new Map(session.servers.kafka.nodes.map(node => [session.portOf(node), node]))
    const trap: { hit?: { readonly node: BrokerNode; readonly gone: Promise<void> } } = {}
    for (const link of links) {
      const node = nodes.get(link.targetPort)
      link.watcher = ({ begun }) => {
        if (trap.hit !== undefined || node === undefined || !begun.some(isCommit)) return 'pass'
        // Before the request is there, after it is in the log, or while the partitions are told.
        trap.hit = { node, gone: sleep(session.random() * commitMs).then(() => node.kill()) }
        return 'pass'
      }
    }
    await until(() => trap.hit !== undefined, 'a commit', commitLimitMs).catch(() => undefined)
    for (const link of links) link.watcher = undefined
    const { hit } = trap
    const felt = hit !== undefined && (await restart(session, hit.node, hit.gone))
    return { bites: () => felt, recoversSinceMs: Date.now() }
  },
}

/** Starts what is being killed. Whether a daemon had connections to it that ended meanwhile. */
async function restart(session: Session, node: BrokerNode, gone: Promise<void>): Promise<boolean> {
  const port = session.portOf(node)
  const links = session.linksTo('kafka').filter(({ targetPort }) => targetPort === port)
  const lost = () => links.reduce((sum, link) => sum + link.lost, 0)
  const before = lost()
  await gone
  await until(() => lost() > before, 'a connection that ends', lossLimitMs).catch(() => undefined)
  const felt = !node.running && lost() > before
  await node.start(startSignal())
  return felt
}

export const brokerFrozen: Fault = {
  name: 'broker frozen',
  recoveryLimitMs: 2 * recoveryLimitMs,
  async inject(session) {
    const node = pick(session, session.servers.kafka.nodes)
    node.freeze()
    const since = Date.now()
    await sleep(8_000)
    const leadsNothing = async () => ![...(await leadersOf(session, node)).values()].includes(node.id)
    const replaced = await comes(leadsNothing, 'leaders in place of the frozen one')
    return { bites: () => replaced, heal: async () => node.thaw(), recoversSinceMs: since }
  },
}

/** One replica is left: no partition takes records, nor transactions, nor checkpoints. */
export const belowMinimum: Fault = {
  name: 'below min.insync.replicas',
  recoveryLimitMs: 3 * recoveryLimitMs,
  kills: true,
  async inject(session) {
    const away = session.servers.kafka.nodes.slice(0, 2)
    await Promise.all(away.map(node => node.kill()))
    const before = session.changes
    await sleep(8_000)
    // Nothing that is written now can arrive. Half of it is asked for: some arrives before its writer knows.
    const waits = underWay(session) > (session.changes - before) / 2
    const bites = session.changes > before && waits
    const heal = async () => {
      await Promise.all(away.map(node => node.start(startSignal())))
    }
    return { bites: () => bites, heal }
  },
}

export const leadersMoved: Fault = {
  name: 'partitions get other leaders',
  recoveryLimitMs,
  async inject(session) {
    const before = await leadersOf(session)
    await moveLeaders(session.servers.kafka, session.topics)
    const since = Date.now()
    const areOthers = async () => [...(await leadersOf(session))].some(([place, id]) => id !== before.get(place))
    const moved = before.size > 0 && (await comes(areOthers, 'other leaders'))
    return { bites: () => moved, recoversSinceMs: since }
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
    const count = (await partitionsOf(session, topic)) + 1
    await ask(session, admin => admin.createPartitions({ topicPartitions: [{ topic, count }] }))
    const grown = await comes(async () => (await partitionsOf(session, topic)) === count, 'another partition')
    // What was learned before may be read again: by the next start.
    const daemon = session.daemons[0]!
    await daemon.kill()
    const recoversSinceMs = Date.now()
    const missed = await missedWork(session, daemon)
    return { bites: () => grown && missed, recoversSinceMs }
  },
}

async function partitionsOf(session: Session, topic: string): Promise<number> {
  const { topics } = await ask(session, admin => admin.fetchTopicMetadata({ topics: [topic] }))
  return topics[0]?.partitions.length ?? 0
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
    // Its id would say that it is another one, but the client does not tell ids: that it was gone has to be seen.
    const isGone = async () => !(await ask(session, admin => admin.listTopics())).includes(topic)
    const gone = await comes(isGone, `the end of ${topic}`)
    await session.writer.scribble('scratch')
    await until(() => exists(session, topic), `${topic} again`, 120_000)
    return { bites: () => gone, recoversSinceMs: Date.now() }
  },
}

async function exists(session: Session, topic: string): Promise<boolean> {
  const offsets = await ask(session, admin => admin.fetchTopicOffsets(topic).catch(() => []))
  return offsets.some(({ high }) => Number(high) > 0)
}

/** Hardly a record is as small as the topic takes now: the pipeline says so and stops (`onError: fail`), and loses nothing. */
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
  brokerRestartedInCommit,
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

/** The leader of every partition that is judged, by `topic/partition`; `silent` is not asked. */
async function leadersOf(session: Session, silent?: BrokerNode): Promise<Map<string, number>> {
  const question = (admin: Admin) => admin.fetchTopicMetadata({ topics: [...session.topics] })
  const { topics } = await ask(session, question, silent)
  return new Map(
    topics.flatMap(({ name, partitions }) => partitions.map(p => [`${name}/${p.partitionId}`, p.leader] as const)),
  )
}

/** Whether the cluster says so in time; an answer that fails is none. */
async function comes(question: () => Promise<boolean>, what: string): Promise<boolean> {
  return await until(() => question().catch(() => false), what, changeLimitMs).then(
    () => true,
    () => false,
  )
}

async function ask<T>(session: Session, question: (admin: Admin) => Promise<T>, silent?: BrokerNode): Promise<T> {
  const brokers = session.servers.kafka.brokers.filter(address => address !== silent?.address)
  // The client may come to the silent one all the same, and is not to wait for it for long.
  const impatience = silent && { requestTimeout: 5_000, enforceRequestTimeout: true }
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING, ...impatience }).admin()
  try {
    await admin.connect()
    return await question(admin)
  } finally {
    await admin.disconnect()
  }
}
