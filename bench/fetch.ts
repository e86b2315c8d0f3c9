import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Configuration } from '../src/errors.ts'
import { cacheDir, reporting } from '../src/services/cache.ts'
import { findKafka } from '../src/services/download-kafka.ts'
import { findMongod, hasOwnMongod } from '../src/services/download-mongod.ts'
import { probe, runToEnd } from '../src/services/process.ts'
import { requireAll } from '../src/services/requirements.ts'
import type { ServiceOptions } from '../src/services/services.ts'

const limitMs = 30 * 60_000
const versions = { connect: '4.1.1', debezium: '3.6.1.Final', 'mongo-kafka': '2.0.1' } as const
const peersDir = join(import.meta.dirname, 'peers')

/** Environment of the scripts in bench/peers; the versions are theirs too, but ours are the ones to go by. */
export function peersEnvironment(env: ServiceOptions['env']): Record<string, string | undefined> {
  return {
    ...env,
    BENCH_HOME: join(cacheDir(env), 'peers'),
    KAFKA_VERSION: versions.connect,
    DEBEZIUM_VERSION: versions.debezium,
    MONGO_KAFKA_VERSION: versions['mongo-kafka'],
  }
}

/**
 * Downloads what is not there yet: mongod, Kafka, and for the `peers` Kafka Connect and both connectors. Throws
 * SERVICE_MISSING with everything that the machine lacks before the first download.
 */
export async function fetchAll(peers: boolean, options: ServiceOptions): Promise<void> {
  const { env, progress, signal } = options
  await requireEverything(peers, env, signal)
  progress?.(`Downloads are kept in ${cacheDir(env)}`)
  await findMongod(options)
  await findKafka(options)
  if (peers && !peersFetched(env)) {
    await reporting(progress, 'Fetching Kafka Connect, Debezium and the MongoDB connector (once, 60 MB)', () =>
      fetchPeers(env, signal),
    )
  }
}

async function fetchPeers(env: ServiceOptions['env'], signal: AbortSignal): Promise<void> {
  const assignments = Object.entries(peersEnvironment({ XDG_CACHE_HOME: env.XDG_CACHE_HOME }))
  const given = assignments.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
  await runToEnd('env', [...given, 'bash', join(peersDir, 'setup.sh')], { cwd: peersDir, limitMs, signal })
}

function peersFetched(env: ServiceOptions['env']): boolean {
  const lib = join(cacheDir(env), 'peers/lib')
  const plugins = [`debezium-${versions.debezium}`, `mongo-kafka-${versions['mongo-kafka']}`]
  const done = [`connect-${versions.connect}/.ok`, ...plugins.map(plugin => `${plugin}/jars/.ok`)]
  return done.every(file => existsSync(join(lib, file)))
}

/** Throws SERVICE_MISSING with what the servers lack and what the measuring itself does, in one list. */
async function requireEverything(peers: boolean, env: ServiceOptions['env'], signal: AbortSignal): Promise<void> {
  const missing = (await missingForBench(peers, env, signal)).map(line => `  - ${line}`)
  const servers = await requireAll({ mongodb: !(await hasOwnMongod(signal)), kafka: true }, env, signal).then(
    () => 'this machine lacks:',
    (error: unknown) => {
      if (!(error instanceof Configuration) || missing.length === 0) throw error
      return error.message
    },
  )
  if (missing.length > 0) throw new Configuration('SERVICE_MISSING', [servers, ...missing].join('\n'))
}

async function missingForBench(peers: boolean, env: ServiceOptions['env'], signal: AbortSignal): Promise<string[]> {
  const missing: string[] = []
  if (process.platform !== 'linux') missing.push('Linux: CPU time and memory are read from /proc')
  const lacks = async (program: string, args: string[]) => (await probe(program, args, signal)) === undefined
  if (peers && (await lacks('bash', ['--version']))) missing.push("bash, for the peers' adapters, or run with --ours")
  if (peers && (await lacks('curl', ['--version']))) missing.push('curl, to ask Kafka Connect, or run with --ours')
  if (peers && !peersFetched(env) && (await lacks('mvn', ['-version']))) {
    missing.push('Maven (mvn), to download the peers, or run with --ours')
  }
  return missing
}
