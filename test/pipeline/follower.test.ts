import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { Follower } from '../../src/pipeline/follower.ts'

test('aborts with the other, for its reason, also where that came before', () => {
  const leader = new AbortController()
  using follower = new Follower(leader.signal)
  expect(follower.signal.aborted).toBe(false)
  leader.abort('enough')
  expect([follower.signal.aborted, follower.signal.reason]).toEqual([true, 'enough'])
  using late = new Follower(leader.signal)
  expect([late.signal.aborted, late.signal.reason]).toEqual([true, 'enough'])
})

test('once it is disposed of, the other signal neither reaches nor keeps it', () => {
  const leader = new AbortController()
  const followers = Array.from({ length: 100 }, () => new Follower(leader.signal))
  for (const follower of followers) follower[Symbol.dispose]()
  expect(getEventListeners(leader.signal, 'abort')).toEqual([])
  leader.abort()
  expect(followers.some(({ signal }) => signal.aborted)).toBe(false)
})
