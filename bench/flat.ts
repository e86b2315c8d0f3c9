import { collections, database, document } from './backlog.ts'
import type { Bench } from './bench.ts'
import { Child } from './child.ts'
import { pidsOf } from './drain.ts'
import { startProbed } from './latency.ts'
import { memoryMb } from './proc.ts'
import type { Result } from './results.ts'
import { Sampler } from './sampler.ts'
import { median, rounded } from './statistics.ts'
import type { WriterJob, Writes } from './writer.ts'

const documents = 10_000
const perSecond = 2_000
const everyMs = 5_000

interface Memory {
  readonly atMs: number
  readonly rssMb: number
}

/** Slope of the straight line through the points, MB an hour, by least squares. */
export function growthMbPerHour(points: readonly Memory[]): number {
  const mean = (of: (point: Memory) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length
  const [meanMs, meanMb] = [mean(({ atMs }) => atMs), mean(({ rssMb }) => rssMb)]
  const covariance = mean(({ atMs, rssMb }) => (atMs - meanMs) * (rssMb - meanMb))
  const variance = mean(({ atMs }) => (atMs - meanMs) ** 2)
  return (covariance / variance) * 3_600_000
}

/** Memory of ours under a steady load. Documents and topic stay small, so that nothing else grows on the way. */
export async function flat(bench: Bench): Promise<void> {
  const { options, client, topics, ours, servers, progress, signal } = bench
  const { flat: collection } = collections
  const seconds = options.minutes * 60
  progress(`flat: ${perSecond} updates a second for ${options.minutes} minutes`)
  const rows = client.db(database).collection(collection)
  await rows.drop()
  await rows.insertMany(Array.from({ length: documents }, (_, i) => ({ ...document(i), _id: i as never })))
  const running = await startProbed(
    bench,
    ours,
    { collections: [collection], lookup: false, from: 'now', settings: 'default' },
    { 'retention.bytes': String(64 << 20), 'segment.bytes': String(16 << 20) },
  )
  await using stack = new AsyncDisposableStack()
  stack.defer(() => running.stop())
  const job: WriterJob = { uri: servers.mongoUri, collection, documents, perSecond, seconds }
  const writer = stack.use(new Child<Writes>('writer.ts', job))
  const sampler = new Sampler({ ...pidsOf(bench, running.pid), helpers: [writer.pid] })
  const memory: Memory[] = []
  const fromMs = Date.now()
  const ended = writer.result.then(() => true)
  const tick = () => new Promise<false>(resolve => setTimeout(() => resolve(false), everyMs))
  while (running.alive() && !signal.aborted && !(await Promise.race([ended, tick()]))) {
    memory.push({ atMs: Date.now(), rssMb: await memoryMb(running.pid, 'VmRSS') })
  }
  const toMs = Date.now()
  await sampler.stop()
  const records = await topics.count([ours.topicOf(collection)], 8)
  await bench.results.add(resultOf(bench, memory, sampler, { fromMs, toMs, records, alive: running.alive() }))
}

interface Ending {
  readonly fromMs: number
  readonly toMs: number
  readonly records: number
  readonly alive: boolean
}

function resultOf(
  { options, ours, progress }: Bench,
  memory: readonly Memory[],
  sampler: Sampler,
  end: Ending,
): Result {
  // What grows while caches fill and code is compiled is not a leak: the first quarter is left out.
  const quarter = Math.floor(memory.length / 4)
  const medianOf = (points: readonly Memory[]) => Math.round(median(points.map(({ rssMb }) => rssMb)))
  const events = perSecond * options.minutes * 60
  const { connectorS, othersPct, harnessPct } = sampler.usage(end.fromMs, end.toMs)
  const figures = {
    events,
    records: end.records,
    activeS: rounded((end.toMs - end.fromMs) / 1_000),
    cpuPerM: rounded((connectorS / events) * 1e6),
    peakRssMb: Math.round(sampler.peakRssMb),
    earlyRssMb: medianOf(memory.slice(quarter, 2 * quarter)),
    lateRssMb: medianOf(memory.slice(-quarter)),
    growthMbPerHour: rounded(growthMbPerHour(memory.slice(quarter)), 1),
    othersPct: rounded(othersPct, 1),
    harnessPct: rounded(harnessPct, 1),
  }
  progress(`  ${figures.earlyRssMb} MB in the second quarter, ${figures.lateRssMb} MB in the last`)
  const variant = `${options.minutes} min`
  const complete = end.alive && end.records >= events
  return { scenario: 'flat', connector: ours.name, variant, round: 1, complete, info: ours.info, figures }
}
