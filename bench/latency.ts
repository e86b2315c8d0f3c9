import { collections, database, document } from './backlog.ts'
import { type Bench, type Entrant, entrants, surviving } from './bench.ts'
import { Child } from './child.ts'
import type { Connector, Job, Running } from './connector.ts'
import { pidsOf } from './drain.ts'
import { sharesOf } from './latencies.ts'
import type { Arrivals, ConsumerJob } from './latency-consumer.ts'
import type { Result } from './results.ts'
import { Sampler } from './sampler.ts'
import { rounded } from './statistics.ts'
import type { WriterJob, Writes } from './writer.ts'

const partitions = 8
const perSecond = 1_000
const probeLimit = 40
const probeWaitMs = 2_000
const settleMs = 3_000
const warmUpS = 5

type Context = Pick<Bench, 'client' | 'topics' | 'signal' | 'progress'>

/**
 * Starts the connector on new writes and writes one now and then, until the first of them is in Kafka. Rejects with
 * the end of its log where none comes.
 */
export async function startProbed(
  bench: Context,
  connector: Connector,
  job: Job,
  topicConfigs: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const { client, topics, signal } = bench
  const [collection = ''] = job.collections
  const names = [connector.topicOf(collection)]
  await topics.recreate(names, partitions, topicConfigs)
  const running = await connector.start(job, signal)
  for (let probe = 0; probe < probeLimit && running.alive(); probe++) {
    await client.db(database).collection(collection).insertOne(document(probe))
    const expected = { topics: names, partitions, count: 1, limitMs: probeWaitMs, alive: running.alive }
    if ((await topics.arrival(expected, signal)).complete) return running
  }
  await running.stop()
  throw new Error(`${connector.name}: no event arrived. The end of its log:\n${await running.log()}`)
}

/** Each where it is fastest: the MongoDB connector's defaults are, Debezium's are not. Ours has one way. */
function settingsOf(connector: Connector): Job['settings'] {
  return connector.name === 'debezium' ? 'tuned' : 'default'
}

async function latency(bench: Bench, { connector, variant }: Entrant, round: number): Promise<Result> {
  const { options, servers, client, topics, progress } = bench
  const { latency: collection } = collections
  progress(`latency ${variant}, round ${round}: ${connector.name}`)
  const db = client.db(database)
  await db.dropCollection(collection)
  await db.createCollection(collection)
  const job: Job = { collections: [collection], lookup: false, from: 'now', settings: settingsOf(connector) }
  const running = await startProbed(bench, connector, job)
  await using stack = new AsyncDisposableStack()
  stack.defer(() => running.stop())
  await new Promise(resolve => setTimeout(resolve, settleMs))

  const topic = connector.topicOf(collection)
  const seconds = warmUpS + options.seconds
  const count = perSecond * seconds
  const limitMs = (seconds + 120) * 1_000
  const consumerJob: ConsumerJob = { brokers: servers.brokers, topic, count, limitS: seconds + 60, warmUpS }
  const consumer = stack.use(new Child<Arrivals>('latency-consumer.ts', consumerJob))
  await consumer.ready
  const { mongoUri: uri } = servers
  const writerJob: WriterJob = { uri, collection, documents: 'insert', perSecond, seconds }
  const writer = stack.use(new Child<Writes>('writer.ts', writerJob))
  await writer.ready
  const sampler = new Sampler({ ...pidsOf(bench, running.pid), helpers: [writer.pid, consumer.pid] })
  const fromMs = Date.now()
  const { writes } = await writer.within(limitMs)
  const toMs = Date.now()
  await sampler.stop()
  const found = await consumer.within(limitMs)
  const { connectorS, mongodS, brokerS, othersPct, harnessPct } = sampler.usage(fromMs, toMs)
  await stack.disposeAsync()
  await topics.delete([topic])
  const perMillion = (seconds: number) => rounded((seconds / count) * 1e6)
  const shares = sharesOf(found.measured, writes)
  const both = (p50Ms: number, p99Ms: number) => `p50 ${rounded(p50Ms, 1)} ms, p99 ${rounded(p99Ms, 1)} ms`
  const [all, write] = [both(shares.p50Ms, shares.p99Ms), both(shares.writeP50Ms, shares.writeP99Ms)]
  progress(`  ${all}; the write itself ${write}; from then on ${both(shares.afterP50Ms, shares.afterP99Ms)}`)
  const figures = {
    ...{ events: count, records: found.count, ...shares },
    cpuPerM: perMillion(connectorS),
    mongodPerM: perMillion(mongodS),
    brokerPerM: perMillion(brokerS),
    peakRssMb: Math.round(sampler.peakRssMb),
    othersPct: rounded(othersPct, 1),
    harnessPct: rounded(harnessPct, 1),
  }
  const complete = found.count >= count
  return { scenario: 'latency', connector: connector.name, variant, round, complete, info: connector.info, figures }
}

/** 1,000 inserts a second, w: majority, through every connector in turn; ours exactly-once with four slots. */
export async function latencyAll(bench: Bench, round: number): Promise<void> {
  for (const entrant of entrants(bench, settingsOf, ['at-least-once', 'exactly-once'], ['workers.slots=4'])) {
    await surviving(bench, async () => bench.results.add(await latency(bench, entrant, round)))
  }
}
