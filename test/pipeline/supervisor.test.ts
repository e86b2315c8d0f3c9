import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Configuration, Fenced, Retryable } from '../../src/errors.ts'
import type { Lease } from '../../src/lease.ts'
import { lease, TestFleet } from './fleet.ts'

const broken = new Configuration('SINK_UNAUTHORIZED', 'not allowed')
const states = (fleet: TestFleet) =>
  Object.fromEntries(fleet.supervisor.monitors.map(({ name, status }) => [name, status.state]))

test('runs every pipeline on every slot that it has, and on no other', async () => {
  const fleet = new TestFleet(['a', 'b'])
  const { supervisor } = fleet
  await fleet.settle()
  expect(fleet.now).toEqual([])
  supervisor.take([0, 2], lease)
  await fleet.settle()
  expect(fleet.now).toEqual(['a/0@1', 'a/2@1', 'b/0@1', 'b/2@1'])
  expect(supervisor.running).toBe(4)
  await supervisor.release([0])
  expect(fleet.now).toEqual(['a/2@1', 'b/2@1'])
  await supervisor.release([2])
  expect(supervisor.running).toBe(0)
  expect(states(fleet)).toEqual({ a: 'standby', b: 'standby' })
  expect(supervisor.failures).toEqual([])
})

test('release settles when what it stopped has drained; taken again, a slot waits for that too', async () => {
  const fleet = new TestFleet(['a'])
  fleet.drains = false
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  const first = fleet.runOf('a')
  let released = false
  const release = fleet.supervisor.release([0]).then(() => {
    released = true
  })
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  expect(first.stop.aborted).toBe(true)
  expect(released).toBe(false)
  expect(fleet.running).toEqual([first])
  first.end()
  await release
  await fleet.settle()
  expect(fleet.started).toEqual(['a/0@1', 'a/0@1'])
  expect(fleet.runOf('a').stop.aborted).toBe(false)
  expect(fleet.supervisor.monitors[0]?.status.state).not.toBe('standby')
})

test('what does not drain within the limit is a failure that names itself', async () => {
  const fleet = new TestFleet(['a', 'b'])
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  fleet.drains = false
  const release = fleet.supervisor.release([0])
  fleet.runOf('a').end()
  await fleet.settle()
  fleet.clock.ring()
  await release
  expect(fleet.supervisor.failures).toMatchObject([{ pipeline: 'b', slot: 0, fault: { code: 'DRAIN_TIMEOUT' } }])
})

test("a slot that others may have already is not waited for, and how it ends is nobody's concern", async () => {
  const fleet = new TestFleet(['a'])
  const lost = new AbortController()
  fleet.supervisor.take([0], { ...lease, lost: lost.signal })
  await fleet.settle()
  fleet.drains = false
  const run = fleet.runOf('a')
  lost.abort(new Fenced('SINK_FENCED', 'lost'))
  await fleet.supervisor.release([0])
  expect(run.stop.aborted).toBe(true)
  run.end(new Fenced('SINK_FENCED', 'fenced'))
  await fleet.settle()
  expect(fleet.supervisor.failures).toEqual([])
})

test('what a retry still owed is a failure of the end, and none of a slot that is handed over in between', async () => {
  const fleet = new TestFleet(['a'])
  const unavailable = new Retryable('SINK_UNAVAILABLE', 'not yet')
  fleet.drains = false
  fleet.supervisor.take([0, 1], lease)
  await fleet.settle()
  const handedOver = fleet.supervisor.release([0], 'handing-over')
  fleet.runOf('a', 0).end(unavailable)
  await handedOver
  await fleet.settle()
  expect(fleet.supervisor.failures).toEqual([])
  const atTheEnd = fleet.supervisor.release([1])
  fleet.runOf('a', 1).end(unavailable)
  await atTheEnd
  await fleet.settle()
  expect(fleet.supervisor.failures).toEqual([{ pipeline: 'a', slot: 1, fault: unavailable }])
})

test('what is handed over is the matter of who gets it, whatever went wrong there before, and in whatever time', async () => {
  const fleet = new TestFleet(['a', 'b'])
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  fleet.runOf('b').end(broken)
  await fleet.settle()
  expect(fleet.supervisor.failures).toMatchObject([{ pipeline: 'b', slot: 0, fault: broken }])
  fleet.drains = false
  const handedOver = fleet.supervisor.release([0], 'handing-over')
  fleet.clock.ring()
  await handedOver
  expect(fleet.supervisor.failures).toEqual([])
  expect(fleet.running).toHaveLength(1)
  fleet.runOf('a').end(broken)
  await fleet.settle()
  expect(fleet.supervisor.failures).toEqual([])
  expect(fleet.supervisor.exhausted.aborted).toBe(false)
  fleet.drains = true
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  expect(fleet.now).toEqual(['a/0@1', 'b/0@1'])
  fleet.runOf('a').end(broken)
  await fleet.settle()
  expect(fleet.supervisor.failures).toMatchObject([{ pipeline: 'a', slot: 0, fault: broken }])
})

test('a pipeline that fails on a slot does not touch the others', async () => {
  const fleet = new TestFleet(['a', 'b'])
  fleet.supervisor.take([0, 1], lease)
  await fleet.settle()
  fleet.runOf('a', 1).end(broken)
  await fleet.settle()
  expect(fleet.now).toEqual(['a/0@1', 'b/0@1', 'b/1@1'])
  expect(states(fleet)).toMatchObject({ a: 'failed', b: 'starting' })
  expect(fleet.supervisor.failures).toEqual([{ pipeline: 'a', slot: 1, fault: broken }])
  expect(fleet.supervisor.exhausted.aborted).toBe(false)
})

test('what throws is a failure of its own, no rejection', async () => {
  const fleet = new TestFleet([])
  const run = () => Promise.reject(new TypeError('nothing there'))
  await fleet.supervisor.apply([{ ...fleet.runnable('a'), run }, fleet.runnable('b')])
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  expect(fleet.supervisor.failures).toMatchObject([{ pipeline: 'a', fault: { code: 'INTERNAL' } }])
  expect(states(fleet)).toMatchObject({ a: 'failed' })
})

test('is exhausted once everything has failed', async () => {
  const fleet = new TestFleet(['a', 'b'])
  const { supervisor } = fleet
  supervisor.take([0], lease)
  await fleet.settle()
  fleet.runOf('a').end(broken)
  await fleet.settle()
  await supervisor.pause('b')
  expect(supervisor.exhausted.aborted).toBe(false) // It may be resumed.
  await supervisor.resume('b')
  await fleet.settle()
  fleet.runOf('b').end(broken)
  await fleet.settle()
  expect(supervisor.exhausted.aborted).toBe(true)
})

test('is exhausted where the only one that could go on is removed, but not by being stopped', async () => {
  const fleet = new TestFleet(['a', 'b'])
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  fleet.runOf('a').end(broken)
  await fleet.settle()
  await fleet.supervisor.release([0])
  expect(fleet.supervisor.exhausted.aborted).toBe(false)
  const other = new TestFleet(['a', 'b'])
  other.supervisor.take([0], lease)
  await other.settle()
  other.runOf('a').end(broken)
  await other.settle()
  await other.supervisor.apply([other.runnable('a')])
  expect(other.supervisor.exhausted.aborted).toBe(true)
})

test('a paused pipeline stops on all slots, also on those that come, until it is resumed', async () => {
  const fleet = new TestFleet(['a', 'b'])
  const { supervisor } = fleet
  supervisor.take([0], lease)
  await fleet.settle()
  expect(await supervisor.pause('a')).toEqual({ changed: true })
  expect(await supervisor.pause('a')).toEqual({ changed: false })
  supervisor.take([1], lease)
  await fleet.settle()
  expect(fleet.now).toEqual(['b/0@1', 'b/1@1'])
  expect(states(fleet)).toMatchObject({ a: 'paused' })
  expect(await supervisor.resume('a')).toEqual({ changed: true })
  expect(await supervisor.resume('a')).toEqual({ changed: false })
  await fleet.settle()
  expect(fleet.now).toEqual(['a/0@1', 'a/1@1', 'b/0@1', 'b/1@1'])
  expect(states(fleet)).toMatchObject({ a: 'starting' })
})

test('is not shown as paused before it has drained', async () => {
  const fleet = new TestFleet(['a'])
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  fleet.drains = false
  const pause = fleet.supervisor.pause('a')
  await fleet.settle()
  expect(states(fleet)).not.toEqual({ a: 'paused' })
  fleet.runOf('a').end()
  await pause
  expect(states(fleet)).toEqual({ a: 'paused' })
})

test('resume starts again what has failed, and only that', async () => {
  const fleet = new TestFleet(['a', 'b'])
  fleet.supervisor.take([0, 1], lease)
  await fleet.settle()
  fleet.runOf('a', 1).end(broken)
  await fleet.settle()
  expect(await fleet.supervisor.resume('a')).toEqual({ changed: true })
  await fleet.settle()
  expect(fleet.started.slice(4)).toEqual(['a/1@1'])
  expect(fleet.supervisor.failures).toEqual([])
  expect(await fleet.supervisor.resume('nowhere')).toMatchObject({ refused: 'there is no pipeline nowhere' })
  expect(await fleet.supervisor.pause('nowhere')).toMatchObject({ refused: 'there is no pipeline nowhere' })
})

test('a new list of pipelines: what has not changed is not touched', async () => {
  const fleet = new TestFleet(['same', 'changed', 'gone', 'paused'])
  const { supervisor } = fleet
  supervisor.take([0, 1], lease)
  await supervisor.pause('paused')
  await fleet.settle()
  const same = fleet.runOf('same', 1)
  const next = [
    fleet.runnable('new'),
    fleet.runnable('same'),
    fleet.runnable('paused', '2'),
    fleet.runnable('changed', '2'),
  ]
  expect(await supervisor.apply(next)).toEqual({ added: ['new'], removed: ['gone'], changed: ['paused', 'changed'] })
  await fleet.settle()
  expect(fleet.now).toEqual(['changed/0@2', 'changed/1@2', 'new/0@1', 'new/1@1', 'same/0@1', 'same/1@1'])
  expect(fleet.runOf('same', 1)).toBe(same)
  expect(supervisor.monitors.map(({ name }) => name)).toEqual(['new', 'same', 'paused', 'changed'])
  expect(states(fleet)).toMatchObject({ paused: 'paused' })
  await supervisor.resume('paused')
  await fleet.settle()
  expect(fleet.runOf('paused').version).toBe('2')
  expect(await supervisor.apply(next)).toEqual({ added: [], removed: [], changed: [] })
})

test('removed while it drains and added again, a pipeline begins after its predecessor', async () => {
  const fleet = new TestFleet(['a', 'b'])
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  fleet.drains = false
  const removed = fleet.supervisor.apply([fleet.runnable('b')])
  const added = fleet.supervisor.apply([fleet.runnable('b'), fleet.runnable('a', '3')])
  await fleet.settle()
  const [old] = fleet.running.filter(({ name }) => name === 'a')
  expect(old?.version).toBe('1')
  old?.end()
  await Promise.all([removed, added])
  await fleet.settle()
  expect(fleet.now).toEqual(['a/0@3', 'b/0@1'])
})

test('fenced while the lease holds: taken back; without workers, or the lease gone, it ends', async () => {
  const fenced = new Fenced('SINK_FENCED', 'fenced')
  const alone = new TestFleet(['a'])
  alone.supervisor.take([0], lease)
  await alone.settle()
  alone.runOf('a').end(fenced)
  await alone.settle()
  expect(alone.supervisor.failures).toMatchObject([{ fault: fenced }])

  const shared = new TestFleet(['a'], { shared: true })
  let held = true
  const checked: Lease = {
    confirm: async () => {
      if (!held) throw new Fenced('SINK_FENCED', 'the slot is not ours')
    },
  }
  shared.supervisor.take([0], checked)
  await shared.settle()
  shared.runOf('a').end(fenced)
  await shared.settle()
  expect(states(shared)).toEqual({ a: 'retrying' })
  shared.clock.ring()
  await shared.settle()
  expect(shared.started).toEqual(['a/0@1', 'a/0@1'])
  held = false
  shared.runOf('a').end(fenced)
  await shared.settle()
  expect(shared.started).toHaveLength(2)
  expect(shared.supervisor.failures).toMatchObject([{ fault: fenced }])
})

/** Anything that can happen to a supervisor. */
type Step =
  | { readonly do: 'take' | 'release'; readonly slot: number }
  | { readonly do: 'pause' | 'resume'; readonly name: string }
  | { readonly do: 'apply'; readonly versions: readonly number[] }
  | { readonly do: 'fail'; readonly pick: number }
  | { readonly do: 'drain' }

const names = ['a', 'b', 'c']
const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constantFrom('take' as const, 'release' as const), slot: fc.nat(2) }),
    fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const), name: fc.constantFrom(...names) }),
    fc.record({ do: fc.constant('apply' as const), versions: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)) }),
    fc.record({ do: fc.constant('fail' as const), pick: fc.nat() }),
    fc.record({ do: fc.constant('drain' as const) }),
  ),
  { maxLength: 30 },
)

/** Versions of 0 are absent pipelines; the first is always there. */
const present = (versions: readonly number[]) =>
  names.flatMap((name, i) => (i > 0 && versions[i] === 0 ? [] : [{ name, version: String(versions[i]) }]))

test('whatever happens, in the end exactly what shall run runs, once (any order of any steps)', {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(steps, async all => {
      const fleet = new TestFleet([])
      const { supervisor } = fleet
      let pipelines = present([1, 1, 1])
      const apply = () => supervisor.apply(pipelines.map(({ name, version }) => fleet.runnable(name, version)))
      const pending: Promise<unknown>[] = [apply()]
      const owned = new Set<number>()
      const paused = new Set<string>()
      const carryOut = (step: Step): unknown => {
        switch (step.do) {
          case 'take':
            if (owned.has(step.slot)) return
            owned.add(step.slot)
            return supervisor.take([step.slot], lease)
          case 'release':
            if (owned.delete(step.slot)) pending.push(supervisor.release([step.slot]))
            return
          case 'apply':
            pipelines = present(step.versions)
            for (const name of paused) if (!pipelines.some(each => each.name === name)) paused.delete(name)
            return pending.push(apply())
          case 'pause':
            if (pipelines.some(({ name }) => name === step.name)) paused.add(step.name)
            return pending.push(supervisor.pause(step.name))
          case 'resume':
            paused.delete(step.name)
            return pending.push(supervisor.resume(step.name))
          case 'fail':
            return fleet.running[step.pick % Math.max(1, fleet.running.length)]?.end(
              new Retryable('SINK_UNAVAILABLE', ''),
            )
          case 'drain':
            fleet.drains = !fleet.drains
            for (const run of fleet.running) if (run.stop.aborted && fleet.drains) run.end()
        }
      }
      for (const [at, step] of all.entries()) {
        carryOut(step)
        if (at % 3 === 0) await fleet.settle()
      }
      fleet.drains = true
      for (const run of [...fleet.running]) if (run.stop.aborted) run.end()
      await Promise.all(pending)
      await fleet.settle() // What has just failed is known to have.
      for (const { name } of pipelines) if (!paused.has(name)) await supervisor.resume(name) // What has failed.
      await fleet.settle()
      const due = pipelines
        .filter(({ name }) => !paused.has(name))
        .flatMap(({ name, version }) => [...owned].map(slot => `${name}/${slot}@${version}`))
      expect(fleet.now).toEqual(due.toSorted())
      expect(supervisor.failures.filter(({ fault }) => fault.code === 'INTERNAL')).toEqual([])
      for (const name of paused) expect(supervisor.monitorOf(name)?.status.state).toBe('paused')
      await supervisor.release([...owned])
      expect(supervisor.running).toBe(0)
    }),
    { numRuns: 300, timeout: 100_000 },
  )
})
