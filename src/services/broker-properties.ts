import type { Properties } from './services.ts'

/** Where one node of a cluster is. */
export interface NodePlace {
  /** 1 or more; `node.id`. */
  readonly id: number
  readonly port: number
  readonly controllerPort: number
}

/**
 * server.properties of one of `nodes`, each broker and controller at once: of three, any one may be away. A cluster
 * sees within three seconds that a broker is dead or frozen, and gives a partition back to its preferred leader within
 * one: tests should not wait for Kafka's nine seconds and five minutes.
 */
export function brokerProperties(node: NodePlace, nodes: readonly NodePlace[], logDir: string): Properties {
  const replicas = Math.min(3, nodes.length)
  const inSync = Math.min(2, replicas)
  return {
    'process.roles': 'broker,controller',
    'node.id': node.id,
    'controller.quorum.voters': nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(','),
    listeners: `PLAINTEXT://127.0.0.1:${node.port},CONTROLLER://127.0.0.1:${node.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${node.port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': logDir,
    'num.partitions': 4,
    'default.replication.factor': replicas,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    // Topics are created with their partition counts or not at all: an automatic one hides a mistake.
    'auto.create.topics.enable': false,
    'log.segment.delete.delay.ms': 1_000,
    // Records carry the time of their change, which may be long past: a broker would delete them within minutes.
    'log.retention.ms': -1,
    ...(nodes.length > 1 && {
      'broker.heartbeat.interval.ms': 500,
      'broker.session.timeout.ms': 3_000,
      'leader.imbalance.check.interval.seconds': 1,
    }),
  }
}

/** As a properties file has them. */
export function formatProperties(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
