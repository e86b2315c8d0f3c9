import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Bench } from './bench.ts'
import { rounded } from './statistics.ts'

const runFile = promisify(execFile)
const limitMs = 300_000

/** What `bench/source.ts --drain` prints. */
interface Drained {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly mongodSeconds: number
  readonly peakRssMb: number
}

/** The mixed backlog through our reader alone, which drops everything: no connector on it can be faster. */
export async function sourceLimit(bench: Bench, round: number): Promise<void> {
  const { options, servers, start, results, progress, signal } = bench
  const { events } = options
  const file = join(import.meta.dirname, 'source.ts')
  for (const [mode, variant] of [
    ['none', 'no lookup'],
    ['lookup', 'lookup'],
  ] as const) {
    const job = { uri: servers.mongoUri, mode, events, from: String(start.clusterTime) }
    const args = [file, '--drain', JSON.stringify(job)]
    const { stdout } = await runFile(process.execPath, args, { timeout: limitMs, signal })
    const drained: Drained = JSON.parse(stdout)
    const perMillion = (seconds: number) => rounded((seconds / events) * 1e6)
    const figures = {
      events,
      activeS: rounded(drained.seconds),
      eventsPerS: Math.round(events / drained.seconds),
      cpuPerM: perMillion(drained.cpuSeconds),
      mongodPerM: perMillion(drained.mongodSeconds),
      peakRssMb: Math.round(drained.peakRssMb),
    }
    progress(`source ${variant}, round ${round}: ${figures.eventsPerS} events/s, CPU s/M ${figures.cpuPerM}`)
    const info = `the reader of ${bench.ours.info}`
    await results.add({ scenario: 'source', connector: 'source', variant, round, complete: true, info, figures })
  }
}
