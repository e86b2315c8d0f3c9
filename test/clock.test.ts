import { describe, expect, test, vi } from 'vitest'
import { type Clock, steady, systemClock } from '../src/clock.ts'

test('knows how long the thread had nothing to do: while it sleeps, not while it computes', async () => {
  const idleMs = () => systemClock.idleMs?.() ?? Number.NaN
  const beforeMs = idleMs()
  await systemClock.sleep(30)
  const sleptMs = idleMs()
  expect(sleptMs).toBeGreaterThan(beforeMs)
  const untilMs = systemClock.nowMs() + 20
  while (systemClock.nowMs() < untilMs);
  expect(idleMs()).toBe(sleptMs)
})

describe('sleeping', () => {
  test('resolves in time order', async () => {
    const woken: string[] = []
    const sleep = (ms: number, name: string) => systemClock.sleep(ms).then(() => woken.push(name))
    await Promise.all([sleep(40, 'late'), sleep(1, 'early')])
    expect(woken).toEqual(['early', 'late'])
  })

  test('rejects with the reason of the signal, during the wait and before it', async () => {
    const stop = new AbortController()
    const waiting = systemClock.sleep(3_600_000, stop.signal)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(systemClock.sleep(3_600_000, stop.signal)).rejects.toThrow('enough')
  })

  test('leaves no listener on the signal', async () => {
    const { signal } = new AbortController()
    for (let i = 0; i < 50; i++) await systemClock.sleep(0, signal) // Node warns from 11 listeners on.
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    await systemClock.sleep(0, signal)
    process.off('warning', listen)
    expect(warnings).toEqual([])
  })
})

test('now is the time of the machine, and chance stays in [0, 1)', () => {
  const before = Date.now()
  const now = systemClock.nowMs()
  expect(now).toBeGreaterThanOrEqual(before)
  expect(now).toBeLessThanOrEqual(Date.now())
  for (let i = 0; i < 100; i++) expect(Math.floor(systemClock.random())).toBe(0)
})

describe('a steady clock', () => {
  test('goes on when the time of day is set, and sleeps as before', async () => {
    const even = steady(systemClock)
    expect(Math.abs(even.nowMs() - systemClock.nowMs())).toBeLessThan(86_400_000) // Of the same epoch, roughly.
    const beforeMs = even.nowMs()
    const anHourAgoMs = Date.now() - 3_600_000
    using _ = vi.spyOn(Date, 'now').mockImplementation(() => anHourAgoMs)
    expect(systemClock.nowMs()).toBe(anHourAgoMs)
    expect(even.nowMs()).toBeGreaterThanOrEqual(beforeMs)
    await even.sleep(1)
    expect(even.nowMs()).toBeGreaterThan(beforeMs)
    expect(even.idleMs?.()).toBeTypeOf('number')
  })

  test('is the clock itself where that is never stepped', () => {
    const clock: Clock = { nowMs: () => 1, sleep: async () => undefined, random: () => 0 }
    expect(steady(clock)).toBe(clock)
  })
})
