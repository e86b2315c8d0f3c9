import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { findKafka } from './download-kafka.ts'
import { freePort } from './ports.ts'
import { type Command, runToEnd, ServerProcess, whenReady } from './process.ts'
import type { Broker, BrokerOptions, Server } from './services.ts'
import { Workspace } from './workspace.ts'

const startLimitMs = 120_000
const clusterId = 'bW9uZ28ya2Fma2EtdGVzdA' // Any 16 bytes in base64; KRaft wants one before the first start.
/** A broker for a few thousand records: a small heap, and half the start-up time without the optimizing compiler. */
const smallAndQuick = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** Starts a broker of our own in KRaft mode and waits until it answers. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const jars = await findKafka(options)
  options.progress?.('Starting Kafka: one broker')
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('kafka'))
  const node = { id: 1, port: await freePort(), controllerPort: await freePort() }
  const properties = { ...brokerProperties(node, [node], join(workspace.dir, 'logs')), ...options.properties }
  const propertiesFile = join(workspace.dir, 'server.properties')
  await mkdir(join(workspace.dir, 'logs'))
  await writeFile(propertiesFile, formatProperties(properties))
  const java = [...smallAndQuick, '-cp', `${jars}/*`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesFile]
  await runToEnd('java', [...java, ...format], { cwd: workspace.dir, limitMs: startLimitMs, signal: options.signal })
  const args = [...java, '-Dorg.apache.logging.log4j.level=WARN', 'kafka.Kafka', propertiesFile]
  const command = { program: 'java', args, logFile: join(workspace.dir, 'kafka.log') }
  const server = new BrokerServer(node.port, command, workspace)
  stack.defer(() => server.kill())
  await server.start(options.signal)
  const owned = stack.move()
  return {
    brokers: [`127.0.0.1:${node.port}`],
    get running() {
      return server.running
    },
    get pid() {
      return server.pid
    },
    kill: signal => server.kill(signal),
    start: signal => server.start(signal),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

class BrokerServer implements Server {
  readonly #port: number
  readonly #command: Command
  readonly #workspace: Workspace
  #process: ServerProcess | undefined

  constructor(port: number, command: Command, workspace: Workspace) {
    this.#port = port
    this.#command = command
    this.#workspace = workspace
  }

  get running(): boolean {
    return this.#process?.running ?? false
  }

  get pid(): number | undefined {
    return this.running ? this.#process?.pid : undefined
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.running) return
    const server = await ServerProcess.spawn(this.#command, this.#workspace)
    this.#process = server
    const { logFile } = this.#command
    await whenReady(`Kafka 127.0.0.1:${this.#port}`, server, logFile, startLimitMs, signal, () => answers(this.#port))
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#process?.end(signal)
  }

  freeze(): void {
    this.#process?.send('SIGSTOP')
  }

  thaw(): void {
    this.#process?.send('SIGCONT')
  }
}

/** true once the broker knows itself as a member of the cluster and has elected a controller. */
async function answers(port: number): Promise<true | undefined> {
  const kafka = new Kafka({
    clientId: 'mongo2kafka-services',
    brokers: [`127.0.0.1:${port}`],
    connectionTimeout: 2_000,
    requestTimeout: 5_000,
    enforceRequestTimeout: true,
    retry: { retries: 0 },
    logLevel: logLevel.NOTHING,
  })
  const admin = kafka.admin()
  try {
    await admin.connect()
    const cluster = await admin.describeCluster()
    return cluster.brokers.length > 0 && cluster.controller !== null ? true : undefined
  } catch {
    return undefined // Not yet. If it never does, the log says why: SERVICE_FAILED carries its end.
  } finally {
    await admin.disconnect()
  }
}

interface KafkaNode {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
}

/** server.properties of one of `nodes`, each broker and controller at once. */
function brokerProperties(node: KafkaNode, nodes: readonly KafkaNode[], logDir: string) {
  const replicas = Math.min(3, nodes.length)
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
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': replicas,
    'transaction.state.log.min.isr': Math.min(2, replicas),
    'transaction.state.log.num.partitions': 4,
    'group.initial.rebalance.delay.ms': 0,
    // Topics are created with their partition counts or not at all: an automatic one hides a mistake.
    'auto.create.topics.enable': false,
    'log.segment.delete.delay.ms': 1_000,
  }
}

function formatProperties(properties: Readonly<Record<string, string | number | boolean>>): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}
