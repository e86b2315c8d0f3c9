import { type Document, MongoClient, MongoError } from 'mongodb'
import { systemClock } from '../clock.ts'
import { untilAborted } from '../deadline.ts'
import { Configuration } from '../errors.ts'
import { isMember } from './broker.ts'
import { brokerProperties } from './broker-properties.ts'
import { engineAnswers } from './container-engine.ts'
import { type ContainerDraft, loadTestcontainers, publish, type Testcontainers } from './container-library.ts'
import { freePort } from './ports.ts'
import type { Wanted } from './requirements.ts'
import type { Progress, ServiceOptions } from './services.ts'

/** The versions that are fetched where there are no containers, too. */
const images = { mongodb: 'mongo:6.0.5', kafka: 'apache/kafka:4.1.1' } as const
const portsLimitMs = 180_000
const readyLimitMs = 60_000
const pollMs = 100
const clusterId = 'bW9uZ28ya2Fma2EtdGVzdA'

/** What runs in containers; undefined what was not wanted. */
export interface ContainerServices extends AsyncDisposable {
  readonly mongodbUri: string | undefined
  readonly kafkaBrokers: readonly string[] | undefined
}

/** What the machine has: an engine that answers, and the library that speaks to it. */
export interface ContainerParts {
  readonly answers: typeof engineAnswers
  readonly load: () => Testcontainers | undefined
}

const machine: ContainerParts = { answers: engineAnswers, load: loadTestcontainers }

/**
 * Starts what is wanted in containers. undefined where that cannot be: M2K_TEST_CONTAINERS=no, no engine answers, the
 * package is not installed, or it fails, which `progress` is told; there are other ways. Rejects where `signal` aborts.
 */
export async function startContainers(
  wanted: Wanted,
  options: ServiceOptions,
  { answers, load }: ContainerParts = machine,
): Promise<ContainerServices | undefined> {
  const { env, progress, signal } = options
  if ((!wanted.mongodb && !wanted.kafka) || env.M2K_TEST_CONTAINERS === 'no') return undefined
  if (!(await answers(env, signal))) return undefined
  const library = load()
  if (!library) return undefined
  await using stack = new AsyncDisposableStack()
  try {
    const starter = { library, progress, signal, stack, host: await hostOf(library) }
    const mongodbUri = wanted.mongodb ? await startMongodb(starter) : undefined
    const kafkaBrokers = wanted.kafka ? await startKafka(starter) : undefined
    const owned = stack.move()
    return { mongodbUri, kafkaBrokers, [Symbol.asyncDispose]: () => owned.disposeAsync() }
  } catch (error) {
    signal.throwIfAborted()
    const why = error instanceof Error ? error.message : String(error)
    progress?.(`The container engine answers, but does not start what is needed: ${why}`)
    return undefined
  }
}

interface Starter {
  readonly library: Testcontainers
  readonly progress: Progress | undefined
  readonly signal: AbortSignal
  /** Ends what was started. */
  readonly stack: AsyncDisposableStack
  /** Where published ports are reached. */
  readonly host: string
}

async function hostOf(library: Testcontainers): Promise<string> {
  const { host } = (await library.getContainerRuntimeClient()).info.containerRuntime
  return host === 'localhost' ? '127.0.0.1' : host
}

async function start(draft: ContainerDraft, { signal, stack }: Starter): Promise<void> {
  const starting = draft.withStartupTimeout(portsLimitMs).start()
  try {
    signal.throwIfAborted() // What has aborted already is not heard any more.
    const container = await untilAborted(starting, signal)
    stack.defer(async () => void (await container.stop()))
  } catch (error) {
    // One that starts after nobody waits for it any longer; fetching an image takes no signal.
    starting.then(container => container.stop()).catch(() => {})
    throw error
  }
}

/**
 * A replica set of one member, its port the same inside and outside: it is a member by the address 127.0.0.1, which names
 * itself on either side. On another machine's engine that address is not ours, so the driver is to look no further.
 */
async function startMongodb(starter: Starter): Promise<string> {
  const { library, progress, signal, host } = starter
  progress?.(`Starting MongoDB in a container (${images.mongodb})`)
  const port = await freePort()
  const draft = new library.GenericContainer(images.mongodb).withCommand([
    ...['mongod', '--port', String(port), '--bind_ip_all', '--replSet', 'rs0', '--oplogSize', '256'],
    ...['--wiredTigerCacheSizeGB', '0.25', '--setParameter', 'diagnosticDataCollectionEnabled=false'],
  ])
  await start(publish(draft, port, host), starter)
  const direct = `mongodb://${host}:${port}/?directConnection=true`
  await using client = new MongoClient(direct, { serverSelectionTimeoutMS: 20_000, connectTimeoutMS: 10_000 })
  const admin = (command: Document) => client.db('admin').command(command)
  await admin({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: `127.0.0.1:${port}` }] } })
  const isPrimary = async () => {
    try {
      return (await admin({ hello: 1 })).isWritablePrimary === true
    } catch (error) {
      if (error instanceof MongoError) return false // A member that becomes primary closes its connections.
      throw error
    }
  }
  await until(isPrimary, 'MongoDB in its container has no primary', signal)
  return host === '127.0.0.1' ? `mongodb://${host}:${port}/?replicaSet=rs0` : direct
}

/** One broker with the properties of our own ones, as the image takes them. */
async function startKafka(starter: Starter): Promise<readonly string[]> {
  const { library, progress, signal, host } = starter
  progress?.(`Starting Kafka in a container (${images.kafka})`)
  // The controller listens inside of the container alone, where every other port is free.
  const port = await freePort()
  const place = { id: 1, port, controllerPort: port + 1 }
  const properties = {
    ...brokerProperties(place, [place], '/tmp/kafka-logs'),
    listeners: `PLAINTEXT://0.0.0.0:${port},CONTROLLER://127.0.0.1:${place.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${host}:${port}`,
  }
  const entries = Object.entries(properties).map(([name, value]) => [environmentName(name), String(value)] as const)
  const draft = new library.GenericContainer(images.kafka).withEnvironment({
    ...Object.fromEntries(entries),
    CLUSTER_ID: clusterId,
    KAFKA_HEAP_OPTS: '-Xmx512m',
  })
  await start(publish(draft, port, host), starter)
  const address = `${host}:${port}`
  await until(() => isMember(address, place.id), 'Kafka in its container does not answer', signal)
  return [address]
}

/** Asks until it is so. Throws SERVICE_FAILED where it is not within a minute. */
async function until(isSo: () => Promise<boolean>, otherwise: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = systemClock.nowMs() + readyLimitMs
  while (systemClock.nowMs() < deadlineMs) {
    if (await isSo()) return
    await systemClock.sleep(pollMs, signal)
  }
  throw new Configuration('SERVICE_FAILED', `${otherwise} within ${readyLimitMs / 1000} s`)
}

/** `log.dirs` is KAFKA_LOG_DIRS: how the image's variables name properties. */
function environmentName(property: string): string {
  return `KAFKA_${property.toUpperCase().replaceAll('.', '_')}`
}
