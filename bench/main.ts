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
import { manyEvents, pipelineCount, pipelines } from './pipelines.ts'
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

/** Backlogs once, then the scenarios, round by round. */
async function measure(options: Options, servers: Servers, results: Results, signal: AbortSignal): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const client = stack.use(new MongoClient(servers.mongoUri))
  const topics = stack.use(new Topics(servers.brokers))
  const workspace = stack.use(await Workspace.open('bench'))
  const has = (...names: readonly Options['scenarios'][number][]) =>
    names.some(name => options.scenarios.includes(name))
  for (const name of Object.values(collections)) await client.db(database).createCollection(name)
  const peers = options.ours || !has('drain', 'lookup', 'latency') ? [] : await openPeers(workspace, servers)
  if (has('drain', 'lookup')) await prime(peers, { client, topics, signal, progress: say })
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8')) as Version
  const { mongoUri, brokers } = servers
  const settings: OursSettings = { workspace, mongoUri, brokers, set: options.set, version }
  const events = has('drain', 'lookup', 'compression', 'source') ? options.events : 1_000
  say(`Writing the backlog: ${events} events`)
  const start = await writeMixed(client, events, signal)
  const ours = new Ours(settings, start.iso)
  const bench: Bench = { options, servers, client, topics, results, peers, ours, start, progress: say, signal }
  const many = has('pipelines') ? await writeManyOf(bench) : start
  if (has('drain', 'lookup', 'compression')) await warmUp(bench)
  for (let round = 1; round <= options.rounds; round++) {
    if (has('drain')) await drainAll(bench, round, false)
    if (has('source')) await sourceLimit(bench, round)
    if (has('lookup')) await drainAll(bench, round, true)
    if (has('compression')) await compression(bench, round)
    if (has('pipelines')) await pipelines(bench, settings, many, round)
    if (has('latency')) await latencyAll(bench, round)
  }
  if (has('flat')) await surviving(bench, () => flat(bench))
}

interface Version {
  readonly version: string
}

async function writeManyOf({ client, options, signal }: Bench): Promise<Start> {
  const events = manyEvents(options.events)
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
