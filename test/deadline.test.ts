import { expect, test } from 'vitest'
import { type Clock, systemClock } from '../src/clock.ts'
import { untilAborted, withDeadline } from '../src/deadline.ts'

/** A clock whose only sleep ends when `ring` is called, and a record of what was asked of it. */
function alarm() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const asked: number[] = []
  const clock: Clock = {
    ...systemClock,
    sleep(ms, signal) {
      asked.push(ms)
      const aborted = Promise.withResolvers<never>()
      signal?.addEventListener('abort', () => aborted.reject(signal.reason), { once: true })
      if (signal?.aborted) aborted.reject(signal.reason)
      return Promise.race([promise, aborted.promise])
    },
  }
  return { clock, asked, ring: resolve }
}

function deadlineOf(clock: Clock, signal?: AbortSignal) {
  const ended: unknown[] = []
  const onEnd = (error: unknown) => void ended.push(error)
  return { ended, deadline: { limitMs: 500, late: () => new Error('late'), clock, signal, onEnd } }
}

test('work in time gives its result or its error, and nothing is ended', async () => {
  const { clock, asked } = alarm()
  const { deadline, ended } = deadlineOf(clock)
  expect(await withDeadline(Promise.resolve(7), deadline)).toBe(7)
  await expect(withDeadline(Promise.reject(new Error('broken')), deadline)).rejects.toThrow('broken')
  expect([asked, ended]).toEqual([[500, 500], []])
})

test('late work is ended, and its own failure afterwards disturbs nobody', async () => {
  const { clock, ring } = alarm()
  const { deadline, ended } = deadlineOf(clock)
  const work = Promise.withResolvers<number>()
  const waiting = withDeadline(work.promise, deadline)
  ring()
  await expect(waiting).rejects.toThrow('late')
  work.reject(new Error('closed under it')) // Unhandled, it would fail this test run.
  expect(ended).toEqual([new Error('late')])
})

test('the signal ends the wait with its reason, at once and beforehand', async () => {
  const stop = new AbortController()
  const { deadline, ended } = deadlineOf(systemClock, stop.signal)
  const waiting = withDeadline(new Promise(() => {}), { ...deadline, limitMs: 3_600_000 })
  const reason = new Error('stopped')
  stop.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  await expect(withDeadline(new Promise(() => {}), deadline)).rejects.toBe(reason)
  expect(ended).toEqual([reason, reason])
})

test('a signal ends a wait also where it aborted before, and takes nothing from work that is done', async () => {
  const reason = new Error('stopped')
  const stopped = AbortSignal.abort(reason)
  await expect(untilAborted(new Promise(() => {}), stopped)).rejects.toBe(reason)
  expect(await untilAborted(Promise.resolve(7), stopped)).toBe(7)
  const later = new AbortController()
  const waiting = untilAborted(new Promise(() => {}), later.signal)
  later.abort(reason)
  await expect(waiting).rejects.toBe(reason)
})
