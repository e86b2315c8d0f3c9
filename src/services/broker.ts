import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { brokerProperties, formatProperties, type NodePlace } from './broker-properties.ts'
import { findKafka } from './download-kafka.ts'
import { everyOne, killAll, LocalServer, startAll } from './local-server.ts'
import { freePort } from './ports.ts'
import { type Command, runToEnd } from './process.ts'
import type { Broker, BrokerCluster, BrokerNode, BrokerOptions, Properties } from './services.ts'
import { Workspace } from './workspace.ts'

const startLimitMs = 120_000
const clusterId = 'bW9uZ28ya2Fma2EtdGVzdA' // Any 16 bytes in base64; KRaft wants one before the first start.
/** A broker for a few thousand records: a small heap, and half the start-up time without the optimizing compiler. */
const smallAndQuick = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Starts a broker of our own in KRaft mode and waits until it answers. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  options.progress?.('Starting Kafka: one broker')
  const { nodes, owned } = await openNodes(1, options)
  const node = nodes[0]!
  return Object.assign(node, {
    brokers: [node.address],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  })
}

/**
 * Starts three brokers that are one cluster, and waits until all have joined it. Topics have three replicas and want
 * two in sync (`min.insync.replicas`), so any one broker may be away, and not two.
 */
export async function startBrokers(options: BrokerOptions): Promise<BrokerCluster> {
  options.progress?.('Starting Kafka: three brokers')
  const { nodes, owned } = await openNodes(3, options)
  return {
    brokers: nodes.map(({ address }) => address),
    nodes,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Starts `count` nodes of one cluster. Disposing `owned` ends them and removes their data. */
async function openNodes(
  count: number,
  options: BrokerOptions,
): Promise<{ nodes: readonly KafkaNode[]; owned: AsyncDisposableStack }> {
  const { properties, signal } = options
  const jars = await findKafka(options)
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('kafka'))
  const places: NodePlace[] = []
  for (let id = 1; id <= count; id++) places.push({ id, port: await freePort(), controllerPort: await freePort() })
  const files = { workspace, java: [...smallAndQuick, '-cp', `${jars}/*`] }
  const nodes = await everyOne(places.map(place => makeNode(place, { places, properties, signal, ...files })))
  stack.defer(() => killAll(nodes))
  await startAll(nodes, signal)
  return { nodes, owned: stack.move() }
}

interface NodeParts {
  readonly places: readonly NodePlace[]
  readonly properties: Properties | undefined
  readonly workspace: Workspace
  /** The arguments that every Java program of Kafka's begins with. */
  readonly java: readonly string[]
  readonly signal: AbortSignal
}

/** A node with an empty data directory, ready to be started. */
async function makeNode(place: NodePlace, parts: NodeParts): Promise<KafkaNode> {
  const { places, properties, workspace, java, signal } = parts
  const file = (name: string) => join(workspace.dir, `${name}-${place.id}`)
  await mkdir(file('logs'))
  await writeFile(
    file('properties'),
    formatProperties({ ...brokerProperties(place, places, file('logs')), ...properties }),
  )
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file('properties')]
  await runToEnd('java', [...java, ...format], { cwd: workspace.dir, limitMs: startLimitMs, signal })
  const args = [...java, '-Dorg.apache.logging.log4j.level=WARN', 'kafka.Kafka', file('properties')]
  return new KafkaNode(place, { program: 'java', args, logFile: file('output') }, workspace)
}

class KafkaNode extends LocalServer implements BrokerNode {
  readonly id: number
  readonly address: string

  constructor({ id, port }: NodePlace, command: Command, workspace: Workspace) {
    const address = `127.0.0.1:${port}`
    super({ name: `Kafka ${address}`, command, workspace, startLimitMs })
    this.id = id
    this.address = address
  }

  protected override isReady(): Promise<boolean> {
    return isMember(this.address, this.id)
  }
}

/** Whether the node at `address` is a member of a cluster that a controller admits. Does not throw; bounded in time. */
export async function isMember(address: string, id: number): Promise<boolean> {
  const kafka = new Kafka({
    clientId: 'mongo2kafka-services',
    brokers: [address],
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    enforceRequestTimeout: true,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const { brokers, controller } = await admin.describeCluster()
    return controller !== null && brokers.some(({ nodeId }) => nodeId === id)
  } catch {
    return false // Not yet. If it never does, the log says why: SERVICE_FAILED carries its end.
  } finally {
    await admin.disconnect()
  }
}
