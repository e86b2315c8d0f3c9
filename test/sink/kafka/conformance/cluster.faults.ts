import { expect, it } from 'vitest'
import { startBrokers } from '../../../../src/services/broker.ts'
import { options } from '../../../services/servers.ts'
import { carriers } from './carriers.ts'
import { faultRun, type Report } from './fault-run.ts'
import type { FaultKind } from './faults.ts'

/** Seven, which three does not divide: every node meets every fault. */
const round: readonly FaultKind[] = ['kill', 'hiccup', 'freeze', 'restart', 'move', 'absence', 'kill']
const rounds = 4

const say = (line: string) => process.stdout.write(`${line}\n`)

function summary(report: Report): string {
  const { carrier, faults, records, lost, duplicated, outOfOrder, foreign, retries, ends } = report
  const counts = {
    faults,
    records,
    lost,
    duplicated,
    'out of order': outOfOrder,
    foreign,
    retries,
    'sink ends': ends.length,
  }
  const line = Object.entries(counts).map(([name, count]) => `${name} ${count}`)
  return [`${carrier}: ${line.join(', ')}`, ...ends.map(end => `  ended: ${end}`)].join('\n')
}

it(`${rounds * round.length} faults, 24 of them kills and freezes, in a cluster of three under load`, async () => {
  await using cluster = await startBrokers(options())
  const kinds = Array.from({ length: rounds }, () => round).flat()
  const startedMs = Date.now()
  let done = 0
  const reports = await faultRun(cluster, carriers, kinds, (kind, node) => {
    done += 1
    say(
      `${Math.round((Date.now() - startedMs) / 1000)} s: fault ${done} of ${kinds.length}: ${kind} of node ${node.id}`,
    )
  })
  for (const report of reports) say(summary(report))
  for (const report of reports) {
    expect(report).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, foreign: 0, ends: [] })
    expect(report.records).toBeGreaterThan(0)
    expect(report.retries).toBeGreaterThan(0)
  }
})
