import { expect, test } from 'vitest'
import { Retryable } from '../../src/errors.ts'
import { Position } from '../../src/position.ts'
import { lease, TestFleet } from './fleet.ts'

const position = Position.ofTime(1_800_000_000n << 32n)
const durable = { position, savedAtMs: 900 }

test('a slot that comes while its pipeline is paused shows where it rests, and its headroom with it', async () => {
  const fleet = new TestFleet(['a', 'b'])
  const asked: string[] = []
  fleet.recall = async (pipeline, slot) => {
    asked.push(`${pipeline}/${slot}`)
    return durable
  }
  await fleet.supervisor.pause('a')
  fleet.supervisor.take([0, 3], lease)
  await fleet.settle()
  expect(asked).toEqual(['a/0', 'a/3'])
  const monitor = fleet.supervisor.monitorOf('a')!
  monitor.oplogWindow({ member: 'm', oldestMs: position.timeMs - 5_000, newestMs: position.timeMs })
  expect(monitor.status).toMatchObject({
    state: 'paused',
    positionMs: position.timeMs,
    checkpointSavedAtMs: 900,
    oplogHeadroomMs: 5_000,
    lagMs: null,
  })
})

test('the position of a paused pipeline is asked for until the store answers', async () => {
  const fleet = new TestFleet(['a'])
  let isAway = true
  fleet.recall = async () => {
    if (isAway) throw new Retryable('CHECKPOINT_UNAVAILABLE', 'away')
    return durable
  }
  await fleet.supervisor.pause('a')
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  const monitor = fleet.supervisor.monitorOf('a')!
  expect(monitor.status).toMatchObject({ state: 'paused', positionMs: null, error: null })
  isAway = false
  fleet.clock.ring()
  await fleet.settle()
  expect(monitor.status.positionMs).toBe(position.timeMs)
  expect(fleet.supervisor.failures).toEqual([])
})

test('a pipeline that never ran anywhere has no position, and is asked for it once', async () => {
  const fleet = new TestFleet(['a'])
  let asked = 0
  fleet.recall = async () => {
    asked += 1
    return undefined
  }
  await fleet.supervisor.pause('a')
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  fleet.clock.ring()
  await fleet.settle()
  expect([asked, fleet.supervisor.monitorOf('a')?.status.positionMs]).toEqual([1, null])
})

test.each(['resume', 'release'] as const)('a %s does not wait for a store that does not answer', async how => {
  const fleet = new TestFleet(['a'])
  fleet.recall = (_pipeline, _slot, stop) =>
    new Promise((_, reject) => stop.addEventListener('abort', () => reject(stop.reason)))
  await fleet.supervisor.pause('a')
  fleet.supervisor.take([0], lease)
  await fleet.settle()
  if (how === 'resume') await fleet.supervisor.resume('a')
  else await fleet.supervisor.release([0])
  await fleet.settle()
  expect(fleet.now).toEqual(how === 'resume' ? ['a/0@1'] : [])
  expect([fleet.supervisor.running, fleet.supervisor.failures]).toEqual([how === 'resume' ? 1 : 0, []])
})

test('a pipeline that was paused before this worker knew it does not begin', async () => {
  const fleet = new TestFleet(['a'], { isPaused: name => name !== 'c' })
  fleet.supervisor.take([0], lease)
  await fleet.supervisor.apply([fleet.runnable('a'), fleet.runnable('b'), fleet.runnable('c')])
  await fleet.settle()
  expect(fleet.started).toEqual(['c/0@1'])
  const states = fleet.supervisor.monitors.map(({ status }) => [status.name, status.state])
  expect(Object.fromEntries(states)).toEqual({ a: 'paused', b: 'paused', c: 'starting' })
  await fleet.supervisor.resume('b')
  await fleet.settle()
  expect(fleet.now).toEqual(['b/0@1', 'c/0@1'])
})
