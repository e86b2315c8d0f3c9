import { describe, expect, inject, it } from 'vitest'
import { RealWorker } from './real-worker.ts'
import type { WorkerOrders } from './worker-process.ts'

/** Where nobody dies, a worker that the machine has no time for should not count as dead. */
const longSessionMs = 60_000
const sessionTimeoutMs = 10_000
/** A safety net: how long a take-over may last is tested in virtual time. */
const patienceMs = 120_000

const brokers = inject('kafkaBrokers')

let deployments = 0

/** Workers of one deployment, killed at the end of the test. */
class Fleet implements AsyncDisposable {
  readonly slots: number
  readonly workers: RealWorker[] = []
  readonly #deployment: string

  constructor(slots: number) {
    deployments += 1
    this.slots = slots
    this.#deployment = `fleet-${process.pid}-${deployments}`
  }

  start(name: string, change: Partial<WorkerOrders> = {}): RealWorker {
    const place = { brokers, deployment: this.#deployment, cluster: 'cluster', slots: this.slots }
    const worker = new RealWorker({ name, ...place, sessionTimeoutMs: longSessionMs, drainMs: 200, ...change })
    this.workers.push(worker)
    return worker
  }

  /** Until every slot is with exactly one of `workers`, and their numbers differ by at most one. */
  async balanced(workers: readonly RealWorker[]): Promise<void> {
    const isBalanced = () => {
      const counts = workers.map(({ held }) => held.size)
      const all = new Set(workers.flatMap(({ held }) => [...held]))
      const sum = counts.reduce((a, b) => a + b, 0)
      return all.size === this.slots && sum === this.slots && Math.max(...counts) - Math.min(...counts) <= 1
    }
    await RealWorker.until(workers, isBalanced, patienceMs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(worker => worker.kill()))
  }
}

describe('workers on a real Kafka', () => {
  it('take over the slots of one that is killed', async () => {
    await using fleet = new Fleet(16)
    const [a, b, c] = [
      fleet.start('a', { sessionTimeoutMs }),
      fleet.start('b', { sessionTimeoutMs }),
      fleet.start('c', { sessionTimeoutMs }),
    ]
    await fleet.balanced([a, b, c])
    const orphaned = [...b.held]
    const before = [a.taken.length, c.taken.length]
    await b.kill()
    await fleet.balanced([a, c])
    // What was the dead one's was taken, and nothing else moved for it.
    const moved = [...a.taken.slice(before[0]), ...c.taken.slice(before[1])]
    expect(moved.sort()).toEqual(orphaned.sort())
  })

  it('move few slots in a rolling restart, and none twice at a time', async () => {
    await using fleet = new Fleet(12)
    const names = ['a', 'b', 'c']
    const running = new Map(names.map(name => [name, fleet.start(name)]))
    await fleet.balanced([...running.values()])
    for (const name of names) {
      const taken = () => fleet.workers.reduce((sum, worker) => sum + worker.taken.length, 0)
      const before = taken()
      expect(await running.get(name)!.stop()).toMatchObject({ code: null })
      running.delete(name)
      await fleet.balanced([...running.values()])
      running.set(name, fleet.start(name))
      await fleet.balanced([...running.values()])
      // A third of the slots to the others, and back.
      expect(taken() - before).toBe(8)
    }
    expect(overlaps(fleet.workers)).toEqual([])
  })

  it('refuse a stranger: another MongoDB, another number of slots', async () => {
    await using fleet = new Fleet(4)
    const own = fleet.start('own')
    await fleet.balanced([own])
    for (const change of [{ cluster: 'another' }, { slots: 5 }]) {
      const end = await fleet.start('stranger', change).end
      expect(end).toMatchObject({ code: 'WORKERS_MISMATCH', remedy: expect.stringContaining('workers.slots') })
    }
    expect(own.held.size).toBe(4)
    expect(own.taken).toHaveLength(4)
  })

  it('name the setting when the broker does not accept the session timeout', async () => {
    await using fleet = new Fleet(1)
    const end = await fleet.start('hasty', { sessionTimeoutMs: 1_000 }).end
    expect(end).toMatchObject({ code: 'WORKERS_SESSION_TIMEOUT' })
  })

  it('fence one that was frozen for longer than its session: it notices before it asks anything', async () => {
    await using fleet = new Fleet(4)
    const [a, b] = [fleet.start('a', { sessionTimeoutMs }), fleet.start('b', { sessionTimeoutMs })]
    await fleet.balanced([a, b])
    const had = [...a.held]
    a.signal('SIGSTOP')
    await RealWorker.until([b], () => b.held.size === 4, patienceMs)
    a.signal('SIGCONT')
    await RealWorker.until([a], () => a.refused.length + a.confirmed.length >= had.length, patienceMs)
    expect(a.confirmed).toEqual([])
    expect(a.refused.sort()).toEqual(had.sort())
    await fleet.balanced([a, b])
  })
})

/** Slots that one worker took before another had released them, by the workers' own clocks: those of one machine. */
function overlaps(workers: readonly RealWorker[]): string[] {
  const spans = workers.flatMap(({ spans }) => spans).sort((a, b) => a.slot - b.slot || a.fromMs - b.fromMs)
  return spans.flatMap((span, i) => {
    const next = spans[i + 1]
    if (next?.slot !== span.slot || next.fromMs >= span.toMs) return []
    return [`slot ${span.slot}: released at ${span.toMs}, taken at ${next.fromMs}`]
  })
}
