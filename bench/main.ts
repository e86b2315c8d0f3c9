/**
 * `npm run bench`: both peers and this checkout on the same backlog, in turn, several rounds; ratios, CPU, memory and
 * latency. How: bench/README.md.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { Fault } from '../src/errors.ts'
import { freePort } from '../src/services/ports.ts'
import type { ServiceOptions } from '../src/services/services.ts'
import { Workspace } from '../src/services/workspace.ts'
import { collections, database, manyCollections, type Start, writeMany, writeMixed } from './backlog.ts'
import { type Bench, surviving } from './bench.ts'
import { compression, drainAll, warmUp } from './drain.ts'
import { fetchAll, peersEnvironment } from './fetch.ts'
import { flat } from './flat.ts'
import { latencyAll, startProbed } from './latency.ts'
import { circumstances } from './machine.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { Ours, type OursSettings } from './ours.ts'
import { Peer, peerNames } from './peer.ts'
import { pipelineCount, pipelines } from './pipelines.ts'
import { metAll, report } from './report.ts'
import { Results } from './results.ts'
import { type Servers, startServers } from './servers.ts'
import { sourceLimit } from './source-limit.ts'
import { Topics } from './topics.ts'

const FAILED = 1
const USAGE = 64
/** Kafka Connect stores its position every second; a stop before that would prime nothing. */
const storedMs = 4_000
const resultsDir = join(import.meta.dirname, 'results')

function say(line: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`)
}

async function main(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const options = parseOptions(argv)
  if (options === undefined || typeof options === 'string') {
    process.stderr.write(options === undefined ? usage : `bench: ${options}\n\n${usage}`)
    return options === undefined ? 0 : USAGE
  }
  const services: ServiceOptions = { env: process.env, progress: say, signal }
  await fetchAll(!options.ours, services)
  if (options.fetchOnly) return 0
  await using servers = await startServers(services)
  const where = await circumstances(servers, argv, signal)
  await mkdir(resultsDir, { recursive: true })
  const stem = join(resultsDir, where.at.slice(0, 16).replace(':', ''))
  const results = await Results.open(options.dry ? undefined : `${stem}.jsonl`, where)
  await measure(options, servers, results, signal)
  const text = await report(
    results.all,
    where,
    options.dry ? undefined : { stem, plotFile: join(resultsDir, 'drain.svg') },
  )
  process.stdout.write(text)
  return options.check && !metAll(results.all) ? FAILED : 0
}

/**
 * Each backlog once, and all rounds of the scenarios that read it, before anything else is written. A change stream
 * scans what stands behind its last event too, and MongoDB answers with the last, not quite full batch only then: with
 * 200,000 foreign entries behind it a drain of five seconds took 0.8 s more, and one of twenty-five no more than that.
 */
async function measure(options: Options, servers: Servers, results: Results, signal: AbortSignal): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const client = stack.use(new MongoClient(servers.mongoUri))
  const topics = stack.use(new Topics(servers.brokers))
  const workspace = stack.use(await Workspace.open('bench'))
  const has = (...names: readonly Options['scenarios'][number][]) =>
    names.some(name => options.scenarios.includes(name))
  for (const name of Object.values(collections)) await client.db(database).createCollection(name)
  const peers = options.ours || !has('drain', 'lookup', 'latency') ? [] : await openPeers(workspace, servers)
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8')) as Version
  const { mongoUri, brokers } = servers
  const settings: OursSettings = { workspace, mongoUri, brokers, set: options.set, version }
  const shared = { options, servers, client, topics, results, peers, progress: say, signal }
  const from = (start: Start): Bench => ({ ...shared, start, ours: new Ours(settings, start.iso) })
  const rounds = async (run: (round: number) => Promise<void>) => {
    for (let round = 1; round <= options.rounds; round++) await run(round)
  }
  if (has('pipelines')) {
    const many = from(await writeManyOf(shared))
    await pipelines(many, settings, many.start, 0)
    await rounds(round => pipelines(many, settings, many.start, round))
  }
  if (has('drain', 'lookup')) await prime(peers, shared)
  const events = has('drain', 'lookup', 'compression', 'source') ? options.events : 1_000
  say(`Writing the backlog: ${events} events`)
  const mixed = from(await writeMixed(client, events, signal))
  if (has('drain', 'lookup', 'compression')) await warmUp(mixed)
  await rounds(async round => {
    if (has('drain')) await drainAll(mixed, round, false)
    if (has('source')) await sourceLimit(mixed, round)
    if (has('lookup')) await drainAll(mixed, round, true)
    if (has('compression')) await compression(mixed, round)
  })
  if (has('latency')) await rounds(round => latencyAll(mixed, round))
  if (has('flat')) await surviving(mixed, () => flat(mixed))
}

interface Version {
  readonly version: string
}

async function writeManyOf({ client, options, signal }: Pick<Bench, 'client' | 'options' | 'signal'>): Promise<Start> {
  const { events } = options
  say(`Writing the backlog of ${pipelineCount} collections: ${events} events`)
  return await writeMany(client, manyCollections(pipelineCount), events, signal)
}

async function openPeers(workspace: Workspace, { mongoUri, brokers }: Servers): Promise<Peer[]> {
  const env = {
    ...peersEnvironment(process.env),
    ...{ MONGO_URI: mongoUri, BROKERS: brokers },
    REST_PORT: String(await freePort()),
    RUN_ROOT: workspace.dir,
  }
  return await Promise.all(peerNames.map(name => Peer.open(name, { workspace, env })))
}

/** Runs each peer until it has stored a position, which is where it resumes for every drain. */
async function prime(peers: readonly Peer[], context: Parameters<typeof startProbed>[0]): Promise<void> {
  for (const peer of peers) {
    say(`Priming the position of ${peer.name}`)
    const running = await startProbed(context, peer, {
      collections: [collections.mixed],
      ...{ lookup: false, from: 'now', settings: 'default' },
    })
    try {
      await new Promise(resolve => setTimeout(resolve, storedMs))
    } finally {
      await running.stop()
    }
    await peer.keepPosition()
  }
}

function stopSignal(): AbortSignal {
  const stop = new AbortController()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(FAILED)
      say('bench: stopping')
      stop.abort()
    })
  }
  return stop.signal
}

const stop = stopSignal()
try {
  process.exitCode = await main(process.argv.slice(2), stop)
} catch (error) {
  process.exitCode = FAILED
  if (error instanceof Fault) say(`bench: ${error.code}: ${error.message}\n  ${error.remedy}`)
  else if (!stop.aborted) throw error
}
