import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { merged, type PauseOrders, Pauses } from '../../src/workers/pauses.ts'
import { type SimWorker, sessionTimeoutMs, World } from './world.ts'

const names = ['orders', 'users', 'constructor']
const orders = fc
  .array(fc.record({ name: fc.constantFrom(...names), paused: fc.boolean(), number: fc.integer({ min: 1, max: 4 }) }))
  .map(list => Object.fromEntries(list.map(({ name, paused, number }) => [name, { paused, number }])))

describe('what several have heard', () => {
  it('comes to the same in whatever order, and however often, it is put together', () => {
    fc.assert(
      fc.property(orders, orders, orders, (a, b, c) => {
        const all = merged([a, b, c])
        for (const other of [
          [c, b, a],
          [merged([a, b]), c],
          [a, merged([b, c]), a],
          [all, b],
        ]) {
          expect(merged(other)).toEqual(all)
        }
      }),
    )
  })

  it('comes to the later order, and to the pause where nobody can say which is later', () => {
    const paused = (number: number): PauseOrders => ({ orders: { paused: true, number } })
    const resumed = (number: number): PauseOrders => ({ orders: { paused: false, number } })
    expect(merged([paused(1), resumed(2)])).toEqual(resumed(2))
    expect(merged([paused(3), resumed(2)])).toEqual(paused(3))
    expect(merged([resumed(2), paused(2)])).toEqual(paused(2))
  })
})

describe('one worker', () => {
  it('obeys what others were asked, once, and not what it was asked itself', () => {
    const obeyed: string[] = []
    const pauses = new Pauses((pipeline, paused) => obeyed.push(`${pipeline} ${paused}`))
    let told = 0
    pauses.onOrder = () => {
      told += 1
    }
    pauses.order('orders', true)
    expect([pauses.isPaused('orders'), pauses.isPaused('constructor'), told]).toEqual([true, false, 1])
    pauses.hear(pauses.orders)
    pauses.hear({ orders: { paused: false, number: 0 }, users: { paused: true, number: 1 } })
    pauses.hear({ users: { paused: true, number: 1 } })
    pauses.hear({ orders: { paused: false, number: 2 } })
    expect(obeyed).toEqual(['users true', 'orders false'])
    pauses.order('orders', true)
    expect(pauses.orders.orders).toEqual({ paused: true, number: 3 })
  })
})

describe('workers of a group, in a simulation', () => {
  const seeds = Array.from({ length: 10 }, (_, seed) => seed)

  async function settled(world: World, ...newcomers: string[]): Promise<void> {
    for (const name of newcomers) world.start(name)
    await world.pass(60_000, () => world.isBalanced)
    expect(world.isBalanced).toBe(true)
  }

  const have = (workers: readonly SimWorker[], paused: boolean) => () =>
    workers.every(({ pauses }) => pauses.isPaused('orders') === paused)

  it('pause a pipeline everywhere when one of them is asked, whoever leads, and go on again', async () => {
    for (const seed of seeds) {
      const world = new World(seed, 6)
      await settled(world, 'a', 'b', 'c')
      const asked = world.workers[seed % 3]!
      const moved = world.takes
      asked.pauses.order('orders', true)
      await world.pass(3_000, have(world.workers, true))
      expect(world.workers.map(({ obeyed }) => obeyed.length)).toEqual([0, 1, 2].map(i => (i === seed % 3 ? 0 : 1)))
      world.workers[(seed + 1) % 3]!.pauses.order('orders', false)
      await world.pass(3_000, have(world.workers, false))
      expect(have(world.workers, false)()).toBe(true)
      expect([world.takes, world.violations]).toEqual([moved, []]) // Nothing has moved for it.
    }
  })

  it('tell those who come later before they take anything, also when the one that was asked is dead', async () => {
    for (const seed of seeds) {
      const world = new World(seed, 6)
      await settled(world, 'a', 'b')
      world.workers[seed % 2]!.pauses.order('orders', true)
      await world.pass(3_000, have(world.workers, true))
      world.workers[seed % 2]!.process.kill()
      const late = world.start('c')
      await world.pass(60_000, () => late.holds.size > 0)
      expect(late.pauses.isPaused('orders')).toBe(true)
      await world.pass(sessionTimeoutMs + 3_000, () => world.isBalanced)
      expect(world.violations).toEqual([])
    }
  })
})
