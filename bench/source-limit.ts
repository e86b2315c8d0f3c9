import { type Bench, surviving } from './bench.ts'
import { Child } from './child.ts'
import { pidsOf } from './drain.ts'
import type { Read, ReaderJob } from './reader.ts'
import type { Result } from './results.ts'
import { Sampler } from './sampler.ts'
import { rounded } from './statistics.ts'

const limitMs = 300_000

/** The mixed backlog through our reader alone, which drops everything: no connector on it can be faster. */
export async function sourceLimit(bench: Bench, round: number): Promise<void> {
  for (const lookup of [false, true]) {
    await surviving(bench, async () => bench.results.add(await read(bench, round, lookup)))
  }
}

async function read(bench: Bench, round: number, lookup: boolean): Promise<Result> {
  const { options, servers, start, ours, progress } = bench
  const { events } = options
  const variant = lookup ? 'lookup' : 'no lookup'
  progress(`source ${variant}, round ${round}`)
  const job: ReaderJob = { uri: servers.mongoUri, events, from: String(start.clusterTime), lookup }
  await using reader = new Child<Read>('reader.ts', job)
  const sampler = new Sampler(pidsOf(bench, reader.pid))
  const { firstMs, lastMs } = await reader.within(limitMs).finally(() => sampler.stop())
  const { connectorS, mongodS, othersPct, harnessPct } = sampler.usage(firstMs, lastMs)
  const figures = {
    events,
    activeS: rounded((lastMs - firstMs) / 1_000),
    eventsPerS: Math.round((events / (lastMs - firstMs)) * 1_000),
    cpuPerM: rounded((connectorS / events) * 1e6),
    mongodPerM: rounded((mongodS / events) * 1e6),
    peakRssMb: Math.round(sampler.peakRssMb),
    othersPct: rounded(othersPct, 1),
    harnessPct: rounded(harnessPct, 1),
  }
  progress(`  ${figures.eventsPerS} events/s, CPU s/M ${figures.cpuPerM} (mongod ${figures.mongodPerM})`)
  const info = `the reader of ${ours.info}, from its sources`
  return { scenario: 'source', connector: 'source', variant, round, complete: true, info, figures }
}
