import { collections } from './backlog.ts'
import { type Bench, type Entrant, entrants, fourSlots, surviving } from './bench.ts'
import type { Connector, Job } from './connector.ts'
import type { Scenario } from './options.ts'
import type { Figure, Result } from './results.ts'
import { type Pids, Sampler } from './sampler.ts'
import { rounded } from './statistics.ts'
import type { Arrival } from './topics.ts'

const limitMs = 300_000
const partitions = 8
/** Deleted topics and a stopped JVM still do something in the background for a moment. */
const restMs = 1_500

export interface Run {
  readonly scenario: Scenario
  readonly variant: string
  readonly round: number
  readonly events: number
  readonly records: number
  readonly partitions: number
  /** Whether the size of the topics on the broker's disk is of interest. */
  readonly sizes?: boolean
}

export function pidsOf({ servers }: Pick<Bench, 'servers'>, connector: number): Pids {
  return { connector, mongod: servers.mongodPid, broker: servers.brokerPid }
}

/** Starts the connector on a backlog that is there already, and measures until all of it is in Kafka. */
export async function drain(bench: Bench, connector: Connector, job: Job, run: Run): Promise<Result> {
  const { topics, servers, progress, signal } = bench
  const names = job.collections.map(collection => connector.topicOf(collection))
  progress(`${run.scenario} ${run.variant}, round ${run.round}: ${connector.name}`)
  await topics.recreate(names, run.partitions)
  await new Promise(resolve => setTimeout(resolve, restMs))
  const startedMs = Date.now()
  const running = await connector.start(job, signal)
  const sampler = new Sampler(pidsOf(bench, running.pid))
  const arrival = await topics
    .arrival({ topics: names, partitions: run.partitions, count: run.records, limitMs, alive: running.alive }, signal)
    .finally(async () => {
      await sampler.stop()
      await running.stop()
    })
  if (!arrival.complete) {
    progress(`  only ${arrival.count} of ${run.records} records arrived. The end of its log:\n${await running.log()}`)
    return resultOf(connector, run, false, { events: run.events, records: arrival.count })
  }
  const bytes = run.sizes ? { mbPerM: rounded((await servers.topicBytes(names[0]!)) / run.events, 1) } : {}
  const figures = { ...drainFigures(run, arrival, sampler, startedMs), ...bytes }
  progress(`  ${summaryLine(figures)}`)
  await topics.delete(names)
  return resultOf(connector, run, true, figures)
}

function resultOf(connector: Connector, run: Run, complete: boolean, figures: Result['figures']): Result {
  const { scenario, variant, round } = run
  return { scenario, connector: connector.name, variant, round, complete, info: connector.info, figures }
}

function drainFigures(run: Run, arrival: Arrival, sampler: Sampler, startedMs: number) {
  const { firstMs, lastMs, count } = arrival
  const { connectorS, mongodS, brokerS, othersPct, harnessPct } = sampler.usage(firstMs, lastMs)
  const untilFirst = sampler.usage(startedMs, firstMs)
  const perMillion = (seconds: number) => rounded((seconds / run.events) * 1e6)
  return {
    events: run.events,
    records: count,
    startS: rounded((firstMs - startedMs) / 1_000),
    activeS: rounded((lastMs - firstMs) / 1_000),
    eventsPerS: Math.round((run.events / (lastMs - firstMs)) * 1_000),
    cpuPerM: perMillion(connectorS),
    cpuWithStartPerM: perMillion(connectorS + untilFirst.connectorS),
    mongodPerM: perMillion(mongodS),
    brokerPerM: perMillion(brokerS),
    peakRssMb: Math.round(sampler.peakRssMb),
    othersPct: rounded(othersPct, 1),
    harnessPct: rounded(harnessPct, 1),
  }
}

function summaryLine(figures: Partial<Record<Figure, number>>): string {
  const { eventsPerS, cpuPerM, mongodPerM, brokerPerM, peakRssMb, startS, othersPct } = figures
  return (
    `${eventsPerS} events/s, CPU s/M ${cpuPerM} (mongod ${mongodPerM}, broker ${brokerPerM}), ` +
    `${peakRssMb} MB, first event after ${startS} s, others ${othersPct} %`
  )
}

/** The mixed backlog through every connector in turn. */
export async function drainAll(bench: Bench, round: number, lookup: boolean): Promise<void> {
  const deliveries = lookup ? (['at-least-once'] as const) : (['at-least-once', 'exactly-once'] as const)
  const { variant, settings } = fourSlots
  const more = lookup ? [] : [{ connector: bench.ours.with(settings), variant }]
  for (const entrant of [...entrants(bench, () => 'tuned', deliveries), ...more]) {
    const job: Job = { collections: [collections.mixed], lookup, from: 'backlog', settings: 'tuned' }
    const run = mixedRun(bench, entrant, round, lookup)
    await surviving(bench, async () => bench.results.add(await drain(bench, entrant.connector, job, run)))
  }
}

function mixedRun({ options }: Bench, { connector, variant }: Entrant, round: number, lookup: boolean): Run {
  const { events } = options
  return {
    scenario: lookup ? 'lookup' : 'drain',
    ...{ variant, round, events, partitions },
    records: Math.round(events * connector.recordsPerEvent),
  }
}

/**
 * Ours once, uncounted, so that nobody's first round pays for the compilers of a JVM that has just started: the broker
 * takes two to four times its CPU for the first million records.
 */
export async function warmUp(bench: Bench): Promise<void> {
  const { options, ours, progress } = bench
  const { events } = options
  const job: Job = { collections: [collections.mixed], lookup: false, from: 'backlog', settings: 'default' }
  const run = { scenario: 'drain', variant: 'warm-up', round: 0, events, records: events, partitions } as const
  progress('Warming up the broker; not counted')
  await surviving(bench, async () => void (await drain(bench, ours, job, run)))
}

const codecs = ['none', 'lz4', 'snappy', 'zstd', 'gzip'] as const

/** The mixed backlog through ours, once with every codec that this build has. */
export async function compression(bench: Bench, round: number): Promise<void> {
  const { options, ours, progress } = bench
  const job: Job = { collections: [collections.mixed], lookup: false, from: 'backlog', settings: 'default' }
  const { events } = options
  for (const variant of codecs) {
    const connector = ours.with([`sink.producer.compression=${variant}`])
    if (await connector.supports(job)) {
      const run = { scenario: 'compression', variant, round, events, records: events, partitions, sizes: true } as const
      await surviving(bench, async () => bench.results.add(await drain(bench, connector, job, run)))
    } else if (round === 1) progress(`compression ${variant}: this build does not have it`)
  }
}
