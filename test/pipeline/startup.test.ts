import { expect, test } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { Configuration, Retryable } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { waitFor } from '../../src/pipeline/startup.ts'

/** A clock that jumps over every wait. */
function jumping(): Clock & { slept: number[] } {
  let nowMs = 0
  const slept: number[] = []
  return {
    slept,
    nowMs: () => nowMs,
    random: () => 1,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      slept.push(ms)
      nowMs += ms
    },
  }
}
const absent = () => new Retryable('SOURCE_UNREACHABLE', 'nobody there')
const parts = (clock: Clock) => ({
  what: 'MongoDB',
  limitMs: 1_000,
  backOff: { initialMs: 100, maxMs: 400 },
  clock,
  log: silentLogger,
})

test('opens what comes late, with growing waits', async () => {
  const clock = jumping()
  let calls = 0
  const open = async () => {
    if (++calls < 4) throw absent()
    return 'open'
  }
  expect(await waitFor(parts(clock), open, new AbortController().signal)).toBe('open')
  expect(clock.slept).toEqual([100, 200, 400])
})

test('gives up with the last fault when the limit is over, not before and not later', async () => {
  const clock = jumping()
  const waiting = waitFor(parts(clock), () => Promise.reject(absent()), new AbortController().signal)
  await expect(waiting).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  expect(clock.nowMs()).toBe(1_000)
})

test('does not wait for what only a person can mend, nor after a stop', async () => {
  const clock = jumping()
  const wrong = new Configuration('SOURCE_AUTH_FAILED', 'wrong password')
  await expect(waitFor(parts(clock), () => Promise.reject(wrong), new AbortController().signal)).rejects.toBe(wrong)
  const stopped = AbortSignal.abort(new Error('stopped'))
  await expect(waitFor(parts(clock), () => Promise.reject(absent()), stopped)).rejects.toThrow('stopped')
  expect(clock.slept).toEqual([])
})
