import { once } from 'node:events'
import { systemClock } from '../../src/clock.ts'
import type { Lease } from '../../src/lease.ts'
import { silentLogger } from '../../src/log.ts'
import { silentMeter } from '../../src/meter.ts'
import { KafkaGroup } from '../../src/sink/kafka/group/kafka-group.ts'
import { createWorkers } from '../../src/workers/create-workers.ts'
import type { SlotHolder } from '../../src/workers/workers.ts'

/** What the test tells a worker that it runs as a process of its own: as JSON, the only argument. */
export interface WorkerOrders {
  readonly name: string
  readonly brokers: readonly string[]
  readonly deployment: string
  readonly cluster: string
  readonly slots: number
  readonly sessionTimeoutMs: number
  /** How long it takes to give slots back. */
  readonly drainMs: number
}

/** What the worker tells the test, one JSON object a line. */
export type WorkerReport =
  | { readonly event: 'take' | 'release' | 'released'; readonly slots: readonly number[]; readonly atMs: number }
  /** A slot's lease was asked for right after the process woke up, before the worker could have noticed anything. */
  | { readonly event: 'confirmed' | 'refused'; readonly slots: readonly number[] }
  | { readonly event: 'ended'; readonly code: string | null; readonly remedy: string | null }

/** A clock that jumps by so much means that the process was frozen. */
const frozenMs = 5_000
const tickMs = 50

async function main(orders: WorkerOrders): Promise<void> {
  const report = (line: WorkerReport) => process.stdout.write(`${JSON.stringify(line)}\n`)
  const leases = new Map<number, Lease>()
  const holder: SlotHolder = {
    take(slots, lease) {
      for (const slot of slots) leases.set(slot, lease)
      report({ event: 'take', slots, atMs: systemClock.nowMs() })
    },
    async release(slots) {
      report({ event: 'release', slots, atMs: systemClock.nowMs() })
      await systemClock.sleep(orders.drainMs)
      for (const slot of slots) leases.delete(slot)
      report({ event: 'released', slots, atMs: systemClock.nowMs() })
    },
  }
  const { name, deployment, cluster, slots, sessionTimeoutMs, brokers } = orders
  const settings = { brokers, clientId: name }
  const workers = createWorkers(
    {
      coordination: 'kafka',
      ...{ name, deployment, cluster, slots, sessionTimeoutMs },
      openGroup: terms => new KafkaGroup({ settings, terms, clock: systemClock }),
    },
    { clock: systemClock, log: silentLogger, meter: silentMeter },
  )
  const stop = new AbortController()
  void once(process, 'SIGTERM').then(() => stop.abort())
  void watchForFreeze(leases, report, stop.signal)
  try {
    await workers.run(holder, stop.signal)
    report({ event: 'ended', code: null, remedy: null })
  } catch (error) {
    const { code, remedy } = error as { code: string; remedy: string }
    report({ event: 'ended', code, remedy })
  }
  stop.abort()
}

async function watchForFreeze(
  leases: ReadonlyMap<number, Lease>,
  report: (line: WorkerReport) => void,
  stop: AbortSignal,
): Promise<void> {
  for (let lastMs = systemClock.nowMs(); !stop.aborted; lastMs = systemClock.nowMs()) {
    await systemClock.sleep(tickMs, stop).catch(() => {})
    if (systemClock.nowMs() - lastMs < frozenMs) continue
    for (const [slot, lease] of leases) {
      lease.confirm(stop).then(
        () => report({ event: 'confirmed', slots: [slot] }),
        () => report({ event: 'refused', slots: [slot] }),
      )
    }
  }
}

await main(JSON.parse(process.argv[2] ?? '{}'))
