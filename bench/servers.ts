import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Admin } from '@platformatic/kafka'
import { MongoClient } from 'mongodb'
import { brokerProperties, formatProperties } from '../src/services/broker-properties.ts'
import { findKafka } from '../src/services/download-kafka.ts'
import { freePort } from '../src/services/ports.ts'
import { runToEnd, ServerProcess, whenReady } from '../src/services/process.ts'
import { startReplicaSet } from '../src/services/replica-set.ts'
import type { ServiceOptions } from '../src/services/services.ts'
import { Workspace } from '../src/services/workspace.ts'

const startLimitMs = 120_000
const clusterId = 'bW9uZ28ya2Fma2EtdGVzdA'
/** The heap and collector of a real, if small, broker; those of src/services are for tests. */
const brokerJava = ['-Xms1g', '-Xmx1g', '-XX:+UseG1GC']
const oplogSizeMb = 8_192
const mongodCacheGb = 4

/** What everything is measured on: one mongod and one broker, the same for all. */
export interface Servers extends AsyncDisposable {
  readonly mongoUri: string
  readonly mongodPid: number
  readonly mongodVersion: string
  readonly brokers: string
  readonly brokerPid: number
  /** Bytes on disk of the partitions of topics whose names begin with `prefix`. */
  topicBytes(prefix: string): Promise<number>
}

export async function startServers(options: ServiceOptions): Promise<Servers> {
  await using stack = new AsyncDisposableStack()
  const replicaSet = stack.use(await startReplicaSet({ ...options, members: 1, oplogSizeMb }))
  const mongodPid = replicaSet.members[0]?.pid
  if (mongodPid === undefined) throw new RangeError('mongod has gone')
  const mongodVersion = await enlargeCache(replicaSet.uri)
  const broker = stack.use(await startBroker(options))
  const owned = stack.move()
  return {
    ...{ mongoUri: replicaSet.uri, mongodPid, mongodVersion },
    ...{ brokers: broker.address, brokerPid: broker.pid },
    topicBytes: prefix => bytesBelow(broker.logDir, prefix),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Test servers have a small cache; a backlog should be read from memory here. Gives the server's version. */
async function enlargeCache(uri: string): Promise<string> {
  await using client = new MongoClient(uri)
  const admin = client.db('admin')
  await admin.command({ setParameter: 1, wiredTigerEngineRuntimeConfig: `cache_size=${mongodCacheGb}G` })
  const { version } = await admin.command({ buildInfo: 1 })
  return String(version)
}

interface BenchBroker extends AsyncDisposable {
  readonly address: string
  readonly pid: number
  readonly logDir: string
}

async function startBroker(options: ServiceOptions): Promise<BenchBroker> {
  const { progress, signal } = options
  const jars = await findKafka(options)
  progress?.('Starting Kafka: one broker')
  await using stack = new AsyncDisposableStack()
  const workspace = stack.use(await Workspace.open('bench-kafka'))
  const place = { id: 1, port: await freePort(), controllerPort: await freePort() }
  const [logDir, logFile] = [join(workspace.dir, 'logs'), join(workspace.dir, 'kafka.log')]
  const propertiesFile = join(workspace.dir, 'server.properties')
  await mkdir(logDir)
  await writeFile(propertiesFile, formatProperties(brokerProperties(place, [place], logDir)))
  const java = [...brokerJava, '-cp', `${jars}/*`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', propertiesFile]
  await runToEnd('java', [...java, ...format], { cwd: workspace.dir, limitMs: startLimitMs, signal })
  const args = [...java, '-Dorg.apache.logging.log4j.level=WARN', 'kafka.Kafka', propertiesFile]
  const server = await ServerProcess.spawn({ program: 'java', args, logFile }, workspace)
  stack.defer(() => server.end('SIGKILL'))
  const address = `127.0.0.1:${place.port}`
  await whenReady(`Kafka ${address}`, server, logFile, startLimitMs, signal, () => answers(address))
  const owned = stack.move()
  return { address, pid: server.pid, logDir, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function answers(address: string): Promise<true | undefined> {
  const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [address], retries: 0, connectTimeout: 2_000 })
  try {
    await admin.listTopics()
    return true
  } catch {
    return undefined // Not yet; where it never does, SERVICE_FAILED carries the end of its log.
  } finally {
    await admin.close()
  }
}

async function bytesBelow(logDir: string, prefix: string): Promise<number> {
  let bytes = 0
  for (const partition of (await readdir(logDir)).filter(name => name.startsWith(prefix))) {
    for (const file of await readdir(join(logDir, partition))) {
      if (file.endsWith('.log')) bytes += (await stat(join(logDir, partition, file))).size
    }
  }
  return bytes
}
