import { describe, expect, test } from 'vitest'
import { systemClock } from '../src/clock.ts'

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
