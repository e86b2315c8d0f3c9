import { describe, expect, it } from 'vitest'
import { Configuration } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import type { Meter } from '../../src/meter.ts'
import type { Group } from '../../src/workers/group.ts'
import { GroupWorkers } from '../../src/workers/group-workers.ts'
import { Pauses } from '../../src/workers/pauses.ts'
import { mutants } from './mutants.ts'
import { simulate } from './simulate.ts'
import { longestDrainMs, type SimWorker, sessionTimeoutMs, World } from './world.ts'

/** Rounds and answers; the limit that is promised for a take-over. */
const marginMs = 3_000

/** In 1608 a worker is cut off between a heartbeat and its join; in 1059 one is frozen before it hears of its slots. */
const remarkable = [1608, 1059]

function seeds(count: number): number[] {
  return [...remarkable, ...Array.from({ length: count }, (_, seed) => seed)]
}

/** A group at rest. */
async function settled(seed: number, slots: number, names: readonly string[]): Promise<World> {
  const world = new World(seed, slots)
  for (const name of names) world.start(name)
  await world.pass(60_000, () => world.isBalanced)
  expect(world.isBalanced).toBe(true)
  return world
}

/** How long until every slot is in good hands again, and nobody has too many, milliseconds of virtual time. */
async function recover(world: World): Promise<number> {
  const beganMs = world.time.nowMs()
  await world.pass(60_000, () => world.isBalanced)
  expect(world.isBalanced).toBe(true)
  expect(world.violations).toEqual([])
  return world.time.nowMs() - beganMs
}

function slotsOf({ holds }: SimWorker): number[] {
  return [...holds.keys()].sort((a, b) => a - b)
}

describe('workers of a group, in a simulation', () => {
  it('never share a slot, and come to rest after whatever happens', { timeout: 120_000 }, async () => {
    let lost = 0
    let confirms = 0
    for (const seed of seeds(60)) {
      const outcome = await simulate(seed)
      expect({ seed, violations: outcome.violations }).toEqual({ seed, violations: [] })
      lost += outcome.lost
      confirms += outcome.confirms
    }
    expect(lost).toBeGreaterThan(30) // Else nothing was at stake.
    expect(confirms).toBeGreaterThan(1_000)
  })

  it.each(Object.keys(mutants))('would be caught: one that %s', { timeout: 120_000 }, async name => {
    for (const seed of seeds(60)) {
      const { violations } = await simulate(seed, mutants[name]!())
      if (violations.length > 0) return
    }
    expect.unreachable('nothing was noticed')
  })

  it('take over from a dead worker within the session timeout and a little more', async () => {
    for (const seed of seeds(20)) {
      const world = await settled(seed, 16, ['a', 'b', 'c'])
      await world.pass(world.time.between(0, 2_000))
      world.workers[seed % 3]!.process.kill()
      expect(await recover(world)).toBeLessThanOrEqual(sessionTimeoutMs + marginMs)
      const moved = world.takes
      await world.pass(sessionTimeoutMs)
      expect(world.takes).toBe(moved)
    }
  })

  it('take over from one that stops as soon as it has given its slots back', async () => {
    for (const seed of seeds(10)) {
      const world = await settled(seed, 16, ['a', 'b', 'c'])
      const leaving = world.workers[0]!
      leaving.stop.abort()
      expect(await recover(world)).toBeLessThanOrEqual(longestDrainMs + marginMs)
      await leaving.ended
      expect(leaving.workers.status).toMatchObject({ state: 'stopped', owned: [] })
    }
  })

  it('move only what must move when one after the other is restarted', async () => {
    const names = ['a', 'b', 'c', 'd']
    const world = await settled(1, 16, names)
    for (const name of names) {
      const before = world.takes
      const old = world.living.find(({ process }) => process.name === name)!
      old.stop.abort()
      await recover(world)
      world.start(name)
      await recover(world)
      // Its four slots to the others, and four back.
      expect(world.takes - before).toBe(8)
    }
  })

  it('give a worker that was killed and is back at once what it had, and move nothing else', async () => {
    for (const seed of seeds(10)) {
      const world = await settled(seed, 16, ['a', 'b', 'c', 'd'])
      const others = world.workers.filter(({ process }) => process.name !== 'c')
      const killed = world.workers.find(({ process }) => process.name === 'c')!
      // The leader remembers who had what; who takes over from a leader does so as well.
      const had = slotsOf(killed)
      const before = others.map(slotsOf)
      killed.process.kill()
      const back = world.start('c')
      await recover(world)
      expect(slotsOf(back)).toEqual(had)
      expect(others.map(slotsOf)).toEqual(before)
    }
  })

  it('fence one that was frozen for longer than its session: it notices, and joins again', async () => {
    for (const seed of seeds(10)) {
      const world = await settled(seed, 8, ['a', 'b'])
      const frozen = world.workers[seed % 2]!
      const leases = [...frozen.holds.values()].map(({ lease }) => lease)
      frozen.process.freeze()
      await world.pass(2 * sessionTimeoutMs)
      frozen.process.thaw()
      const answers = Promise.allSettled(leases.map(lease => lease.confirm(new AbortController().signal)))
      await recover(world)
      for (const answer of await answers) {
        expect(answer).toMatchObject({ status: 'rejected', reason: { name: 'Fenced', code: 'WORKERS_LOST' } })
      }
      expect(leases.every(({ lost }) => lost?.aborted)).toBe(true)
    }
  })

  it('keep their slots while a freeze or a cut is shorter than the session', async () => {
    const world = await settled(3, 8, ['a', 'b'])
    const taken = world.takes
    world.workers[0]!.process.freeze()
    world.workers[1]!.process.cutOff()
    await world.pass(sessionTimeoutMs / 3)
    world.workers[0]!.process.thaw()
    world.workers[1]!.process.heal()
    await world.pass(3 * sessionTimeoutMs)
    expect(world.takes).toBe(taken)
    expect(await recover(world)).toBe(0)
  })

  it('know who owns what', async () => {
    const world = await settled(4, 5, ['b', 'a', 'c'])
    world.start('d')
    await recover(world)
    await world.pass(2_000)
    const all = world.workers.map(worker => ({ name: worker.process.name, owned: slotsOf(worker) }))
    const sorted = all.sort((a, b) => (a.name < b.name ? -1 : 1))
    for (const { workers, process } of world.workers) {
      const { status } = workers
      expect(status.workers).toEqual(sorted)
      expect(status).toMatchObject({ coordination: 'kafka', slots: 5, name: process.name, state: 'working' })
    }
  })

  it('tell what they hand over from what they give back because they stop', async () => {
    const world = await settled(5, 4, ['a'])
    const [a] = world.workers
    expect(a?.occasions).toEqual([])
    world.start('b')
    await recover(world)
    expect(new Set(a?.occasions)).toEqual(new Set(['handing-over']))
    a?.stop.abort()
    await recover(world)
    expect(a?.occasions.at(-1)).toBe('stopping')
  })

  it('stand by where there are more of them than slots', async () => {
    const world = await settled(5, 1, ['a', 'b', 'c'])
    expect(world.workers.map(({ workers }) => workers.status.state).sort()).toEqual(['standby', 'standby', 'working'])
    world.workers.find(({ holds }) => holds.size === 1)!.process.kill()
    expect(await recover(world)).toBeLessThanOrEqual(sessionTimeoutMs + marginMs)
  })
})

describe('a worker of a group', () => {
  const figures = () => {
    const seen = new Map<string, number>()
    const meter: Meter = {
      count: (name, _labels, by = 1) => seen.set(name, (seen.get(name) ?? 0) + by),
      gauge: (name, _labels, value) => seen.set(name, value ?? -1),
      observe() {},
    }
    return { seen, meter }
  }
  const parts = (world: World, group: Group, meter: Meter) => {
    const { process } = world.start('other')
    return {
      slots: 4,
      name: 'a',
      group,
      sessionTimeoutMs,
      busy: () => undefined,
      pauses: new Pauses(() => {}),
      clock: process,
      log: silentLogger,
      meter,
    }
  }

  it('ends with what only a person can mend, when all its slots are given back', async () => {
    const world = new World(1, 4)
    const { seen, meter } = figures()
    let isRefused = false
    const honest = world.start('honest').process
    const group = honest.group()
    const refusing: Group = {
      ...group,
      async heartbeat(member, signal) {
        if (isRefused) throw new Configuration('WORKERS_UNAUTHORIZED', 'no more')
        return await group.heartbeat(member, signal)
      },
    }
    const workers = new GroupWorkers(parts(world, refusing, meter))
    const held = new Set<number>()
    let most = 0
    const holder = {
      take(slots: readonly number[]) {
        for (const slot of slots) held.add(slot)
        most = Math.max(most, held.size)
      },
      async release(slots: readonly number[]) {
        for (const slot of slots) held.delete(slot)
      },
    }
    const running = workers.run(holder, new AbortController().signal)
    let isOver = false
    const over = () => {
      isOver = true
    }
    running.then(over, over)
    await world.pass(20_000, () => held.size > 0)
    expect(seen.get('slots_owned')).toBe(held.size)
    isRefused = true
    await world.pass(5_000, () => isOver)
    await expect(running).rejects.toMatchObject({ name: 'Configuration', code: 'WORKERS_UNAUTHORIZED' })
    expect(held.size).toBe(0)
    expect(most).toBeGreaterThan(0)
    expect(seen.get('slots_owned')).toBe(0)
  })

  it('counts the slots that it loses', async () => {
    const world = new World(2, 4)
    const { seen, meter } = figures()
    const process = world.start('peer').process
    const workers = new GroupWorkers({ ...parts(world, process.group(), meter), clock: process })
    const stop = new AbortController()
    let held = 0
    const holder = {
      take: (slots: readonly number[]) => {
        held += slots.length
      },
      release: async () => {},
    }
    let isOver = false
    const running = workers.run(holder, stop.signal).finally(() => {
      isOver = true
    })
    await world.pass(20_000, () => held > 0)
    const owned = workers.status.owned.length
    process.cutOff()
    await world.pass(2 * sessionTimeoutMs)
    expect(seen.get('fenced_total')).toBe(owned)
    process.heal()
    stop.abort()
    await world.pass(10_000, () => isOver)
    await running
  })

  it('ends at once when it is stopped before it has joined', async () => {
    const world = new World(3, 4)
    world.isCoordinatorUp = false
    const worker = world.start('a')
    await world.pass(1_000)
    expect(worker.workers.status).toMatchObject({ state: 'joining', owned: [] })
    worker.stop.abort()
    await world.pass(10_000, () => worker.isEnded)
    expect(worker.isEnded).toBe(true)
    expect(world.takes).toBe(0)
  })
})
