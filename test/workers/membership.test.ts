import { describe, expect, it } from 'vitest'
import type { BusyRatios } from '../../src/busy.ts'
import type { WorkerShare } from '../../src/status.ts'
import { type SimWorker, World } from './world.ts'

const minuteMs = 60_000
/** No older is what a worker knows of another one's limit, but for the answers of one round. */
const oldestMs = 4 * minuteMs + 10_000

const idle: BusyRatios = { source: 0, encode: 0.1, sink: 0 }
const encoding: BusyRatios = { source: 0.1, encode: 0.8, sink: 0.1 }
const waiting: BusyRatios = { source: 0, encode: 0.2, sink: 0.8 }

function shareOf(seenBy: SimWorker, name: string): WorkerShare | undefined {
  return seenBy.workers.status.workers.find(worker => worker.name === name)
}

/** Two workers at rest, and a number that grows by one for each round. */
async function two(seed: number): Promise<{ world: World; a: SimWorker; b: SimWorker; rounds: () => number }> {
  const world = new World(seed, 4)
  const [a, b] = [world.start('a'), world.start('b')]
  for (const worker of [a, b]) worker.busy = idle
  await world.pass(minuteMs, () => world.isBalanced)
  expect(world.isBalanced).toBe(true)
  return { world, a, b, rounds: () => world.coordinator.rounds }
}

describe('a member of the group', () => {
  it('tells the others when something else limits it, and nothing moves for that', async () => {
    for (const seed of [1, 2, 3]) {
      const { world, a, b } = await two(seed)
      const { takes } = world
      await world.pass(oldestMs)
      for (const busy of [encoding, waiting, idle]) {
        a.busy = busy
        await world.pass(oldestMs)
        expect(shareOf(b, 'a')).toMatchObject({ busy })
      }
      expect([world.takes, world.violations]).toEqual([takes, []])
    }
  })

  it('asks for no round while the same limits it, however its figures change', async () => {
    const { world, a, rounds } = await two(4)
    a.busy = encoding
    await world.pass(oldestMs)
    const before = rounds()
    for (let minute = 0; minute < 30; minute += 1) {
      a.busy = { source: 0, encode: 0.6 + minute / 100, sink: 0.1 }
      await world.pass(minuteMs)
    }
    expect(rounds()).toBe(before)
  })

  it('asks for few rounds where its limit changes all the time', async () => {
    const { world, a, rounds } = await two(5)
    const before = rounds()
    const minutes = 30
    for (let second = 0; second < 60 * minutes; second += 1) {
      a.busy = second % 2 === 0 ? encoding : idle
      await world.pass(1_000)
    }
    expect(rounds() - before).toBeLessThanOrEqual(minutes / 2)
  })
})
