import { expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { Retryable } from '../../src/errors.ts'
import { Position } from '../../src/position.ts'
import { FutureGuard, futurePatienceMs } from '../../src/source/future.ts'

const never = new AbortController().signal
const at = (time: bigint) => Position.ofTime(time)
const gone = () => new Retryable('SOURCE_NETWORK', 'no primary')

/** An answer that is heard so much later: the process was stopped, or the network slow. */
class Late {
  readonly time: bigint
  readonly ms: number

  constructor(time: bigint, ms: number) {
    this.time = time
    this.ms = ms
  }
}

/** Answers one by one, the last for ever; every wait takes as long as it says, at once. */
function guardOf(...answers: readonly (bigint | Late | Error)[]) {
  let [asked, nowMs] = [0, 0]
  const sleep = async (ms: number) => {
    nowMs += ms
  }
  const clock: Clock = { nowMs: () => nowMs, random: () => 0.5, sleep }
  const operationTime = async () => {
    const answer = answers[Math.min(asked++, answers.length - 1)]!
    if (answer instanceof Error) throw answer
    if (!(answer instanceof Late)) return answer
    nowMs += answer.ms
    return answer.time
  }
  const guard = new FutureGuard({ clock, operationTime, patienceMs: 30_000 })
  return { guard, asked: () => asked, passedMs: () => nowMs }
}

it('asks once for many, and not again for what was reached', async () => {
  const { guard, asked } = guardOf(10n, 20n)
  await Promise.all([3n, 7n, 11n].map(time => guard.check(at(time), never)))
  expect(asked()).toBe(1)
  await guard.check(at(5n), never)
  expect(asked()).toBe(1)
  await guard.check(at(12n), never)
  expect(asked()).toBe(2)
})

it('gives a new primary time, and refuses what MongoDB does not reach', async () => {
  await guardOf(3n, 4n, 10n).guard.check(at(11n), never)
  const { guard, passedMs } = guardOf(3n)
  await expect(guard.check(at(5n), never)).rejects.toMatchObject({ name: 'PositionLost', code: 'SOURCE_FROM_FUTURE' })
  expect(passedMs()).toBeGreaterThanOrEqual(futurePatienceMs)
  expect(passedMs()).toBeLessThanOrEqual(futurePatienceMs + 2_000) // The longest pause.
})

it('gives a primary its time from when there is one', async () => {
  const absent = Array.from({ length: 15 }, gone)
  const { guard, passedMs } = guardOf(...absent, 3n, 3n, 3n, 10n)
  await guard.check(at(5n), never)
  expect(passedMs()).toBeGreaterThan(futurePatienceMs)
})

it('does not count the time for which an answer was on its way', async () => {
  await guardOf(3n, new Late(3n, 2 * futurePatienceMs), 10n).guard.check(at(5n), never)
  await guardOf(new Late(3n, 2 * futurePatienceMs), 3n, 10n).guard.check(at(5n), never)
})

it('waits for a primary, but not for ever', async () => {
  await guardOf(gone(), gone(), gone(), gone(), gone(), gone(), 10n).guard.check(at(11n), never)
  await expect(guardOf(gone()).guard.check(at(1n), never)).resolves.toBeUndefined()
  await expect(guardOf(gone()).guard.check(at(2n), never)).rejects.toMatchObject({ code: 'SOURCE_NETWORK' })
})
