import type { WriteCounts } from '../services/load.ts'
import type { TailRecord } from '../services/tail.ts'
import type { PipelineStatus } from '../status.ts'

/** Topic of each pipeline of config/demo.yaml. */
export const demoTopics = { orders: 'shop.orders', customers: 'shop.customers', audit: 'audit' } as const
export type DemoPipeline = keyof typeof demoTopics
export type PipelineCounts = Readonly<Record<DemoPipeline, number>>

export const demoPipelines = Object.keys(demoTopics) as readonly DemoPipeline[]
const previewLength = 90

/** How many records each pipeline owes for what was written: one a change, `audit` one a delete. */
export function expectedRecords(written: WriteCounts): PipelineCounts {
  const all = (name: 'orders' | 'customers') => Object.values(written[name]).reduce((sum, count) => sum + count, 0)
  return {
    orders: all('orders'),
    customers: all('customers'),
    audit: written.orders.delete + written.customers.delete,
  }
}

export function total(counts: PipelineCounts): number {
  return demoPipelines.reduce((sum, name) => sum + counts[name], 0)
}

export function agree(expected: PipelineCounts, consumed: PipelineCounts): boolean {
  return demoPipelines.every(name => expected[name] === consumed[name])
}

/** `shop.orders[3]  u  key 17  {"operationType":…` */
export function recordLine(record: TailRecord): string {
  const { topic, partition, operation, key } = record
  const value = record.value ?? '(tombstone)'
  const preview = value.length > previewLength ? `${value.slice(0, previewLength)}…` : value
  return `  ${`${topic}[${partition}]`.padEnd(18)} ${operation}  key ${key.padEnd(6)} ${preview}`
}

/** One line a second: what was written and has arrived, the largest lag and the smallest headroom. */
export function statusLine(
  expected: PipelineCounts,
  consumed: PipelineCounts,
  pipelines: readonly Pick<PipelineStatus, 'lagMs' | 'oplogHeadroomMs'>[],
): string {
  const lags = pipelines.flatMap(({ lagMs }) => lagMs ?? [])
  const headrooms = pipelines.flatMap(({ oplogHeadroomMs }) => oplogHeadroomMs ?? [])
  const lag = lags.length > 0 ? `${(Math.max(...lags) / 1_000).toFixed(1)} s` : 'not known'
  const headroom = headrooms.length > 0 ? `${(Math.min(...headrooms) / 60_000).toFixed(1)} min` : 'not known'
  return `── due ${total(expected)} · consumed ${total(consumed)} · lag ${lag} · oplog headroom ${headroom}`
}

/** A table of the pipelines, and whether their counts agree. */
export function summary(expected: PipelineCounts, consumed: PipelineCounts, transactions: number): string {
  const rows = demoPipelines.map(name => {
    const verdict = expected[name] === consumed[name] ? 'agree' : 'DIFFER'
    return `  ${name.padEnd(10)} ${String(expected[name]).padStart(8)} ${String(consumed[name]).padStart(9)}  ${verdict}`
  })
  const head = '  pipeline    written  consumed'
  return [`Summary (${transactions} transactions among the writes)`, head, ...rows, ''].join('\n')
}
