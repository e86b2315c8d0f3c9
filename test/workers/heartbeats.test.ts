import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { Fenced, Retryable } from '../../src/errors.ts'
import type { Group, Standing } from '../../src/workers/group.ts'
import { Heartbeats, heartbeatPauseMs } from '../../src/workers/heartbeats.ts'
import { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'

const never = new AbortController().signal
const member = { memberId: 'm', generation: 1 }

/** Heartbeats whose answers the test gives, one after the other. */
function heartbeats(clockOf: (time: VirtualTime) => Clock = time => time) {
  const time = new VirtualTime(1)
  const asked: PromiseWithResolvers<Standing>[] = []
  const events: string[] = []
  const group: Group = {
    heartbeat() {
      const question = Promise.withResolvers<Standing>()
      asked.push(question)
      return question.promise
    },
    join: () => Promise.reject(new Error('not asked here')),
    sync: () => Promise.reject(new Error('not asked here')),
    leave: () => Promise.reject(new Error('not asked here')),
    [Symbol.dispose]() {},
  }
  const beats = new Heartbeats({
    ...{ group, clock: clockOf(time), sessionTimeoutMs: 6_000 },
    onRebalance: () => events.push('rebalance'),
    onLost: fault => events.push(fault.message),
  })
  const answer = async (standing: Standing | Error) => {
    const question = asked.at(-1)!
    if (standing instanceof Error) question.reject(standing)
    else question.resolve(standing)
    await turn()
  }
  const confirm = () => {
    const confirmed = beats.confirm(never)
    confirmed.catch(() => {}) // It may reject before the test looks at it.
    return confirmed
  }
  return { time, asked, events, beats, answer, confirm }
}

/** Whether the promise is settled after everything that can happen now has happened. */
async function outcome(promise: Promise<void>): Promise<string> {
  const settled = promise.then(
    () => 'confirmed',
    error => error.message,
  )
  return await Promise.race([settled, turn().then(() => 'waiting')])
}

describe('heartbeats', () => {
  it('confirm by one that was sent after the question, not by the one on its way', async () => {
    const { asked, beats, answer, confirm } = heartbeats()
    beats.joined(member)
    beats.synced()
    const confirmed = confirm()
    await answer('member')
    expect(await outcome(confirmed)).toBe('waiting')
    expect(asked).toHaveLength(2) // At once, not after the pause.
    await answer('member')
    expect(await outcome(confirmed)).toBe('confirmed')
  })

  it('confirm while a rebalance is under way, which they report once the slots are known', async () => {
    const { beats, answer, events, time, asked, confirm } = heartbeats()
    beats.joined(member)
    await answer('rebalance')
    expect(events).toEqual([])
    beats.synced()
    const confirmed = confirm()
    await turn()
    await answer('rebalance')
    expect(await outcome(confirmed)).toBe('confirmed')
    expect(events).toEqual(['rebalance'])
    await time.run(() => asked.length > 2)
    expect(asked).toHaveLength(3)
  })

  it('ask again after a failure, and once more in the new generation', async () => {
    const { beats, answer, time, asked, events, confirm } = heartbeats()
    beats.joined(member)
    beats.synced()
    const confirmed = confirm()
    await answer(new Retryable('SINK_UNAVAILABLE', 'gone'))
    beats.joining()
    await time.run(() => asked.length > 1)
    await answer('old') // The join's answer is on its way.
    expect(events).toEqual([])
    beats.joined({ ...member, generation: 2 })
    await time.run(() => asked.length > 2)
    await answer('member')
    expect(await outcome(confirmed)).toBe('confirmed')
  })

  it.each([
    ['gone', 'the group no longer knows this worker'],
    ['old', 'the group has gone on without this worker'],
  ] as const)('end by an answer that the member is %s', async (standing, message) => {
    const { beats, answer, events, time, asked, confirm } = heartbeats()
    beats.joined(member)
    beats.synced()
    const confirmed = confirm()
    await answer(standing)
    expect(events).toEqual([message])
    expect(await outcome(confirmed)).toBe(message)
    await expect(beats.confirm(never)).rejects.toThrow(Fenced)
    await time.run(() => false)
    expect(asked).toHaveLength(1)
  })

  it('end when none is answered for a session, counted from the last good one', async () => {
    const { beats, answer, events, time, asked, confirm } = heartbeats()
    beats.joined(member)
    beats.synced()
    await answer('member')
    const sentAtMs = time.nowMs()
    await time.run(() => asked.length > 1)
    const confirmed = confirm()
    await time.run(() => events.length > 0)
    expect(events).toEqual(['no heartbeat was answered within the session timeout of 6000 ms'])
    expect(time.nowMs() - sentAtMs).toBe(6_000)
    await answer('member') // Too late.
    expect(await outcome(confirmed)).toBe(events[0])
  })

  it.each(['the time of day', 'the steady clock'])('do not count where %s says that the answer is old', async which => {
    let aheadMs = 0
    const { beats, answer, asked, time, events, confirm } = heartbeats(given => ({
      nowMs: () => given.nowMs() + (which === 'the time of day' ? aheadMs : 0),
      monotonicMs: () => given.nowMs() + (which === 'the steady clock' ? aheadMs : 0),
      sleep: (ms, signal) => given.sleep(ms, signal),
      random: () => given.random(),
    }))
    beats.joined(member)
    beats.synced()
    await answer('member')
    const confirmed = confirm()
    await turn()
    expect(asked).toHaveLength(2)
    aheadMs = 6_000 // As after a sleep of the machine, in which no timer runs.
    await answer('member')
    expect(await outcome(confirmed)).toBe('waiting')
    await time.run(() => asked.length > 2)
    await answer('member')
    expect(await outcome(confirmed)).toBe('confirmed')
    expect(events).toEqual([])
  })

  it('refuse who waits when they are disposed of, also during a question', async () => {
    const { beats, answer, events, confirm } = heartbeats()
    beats.joined(member)
    beats.synced()
    await answer('member')
    const confirmed = confirm()
    await turn()
    beats[Symbol.dispose]()
    await answer('member')
    expect(await outcome(confirmed)).toBe('this worker has left the group')
    expect(events).toEqual([])
  })

  it('let go of who aborts', async () => {
    const { beats } = heartbeats()
    beats.joined(member)
    const controller = new AbortController()
    const confirmed = beats.confirm(controller.signal)
    controller.abort(new Error('enough'))
    await expect(confirmed).rejects.toThrow('enough')
    await expect(beats.confirm(controller.signal)).rejects.toThrow('enough')
  })

  it.each([
    [10_000, 1_000],
    [1_500, 500],
  ])('with a session of %i ms come every %i ms', (session, pause) => {
    expect(heartbeatPauseMs(session)).toBe(pause)
  })
})
