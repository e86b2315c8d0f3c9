import { expect, test } from 'vitest'
import { Overdue } from '../../src/pipeline/overdue.ts'
import { VirtualTime } from '../sink/kafka/producer/virtual-time.ts'

test('the time for draining begins at the stop, and is over so long after it', async () => {
  const time = new VirtualTime(1)
  const stop = new AbortController()
  using overdue = new Overdue(stop.signal, 20_000, time)
  time.after(5_000, () => stop.abort())
  const beganMs = time.nowMs()
  await time.run(() => overdue.signal.aborted)
  expect(overdue.signal.aborted).toBe(true)
  expect(time.nowMs() - beganMs).toBe(25_000)
})

test('where nothing is drained any more it is never over', async () => {
  const time = new VirtualTime(1)
  const stop = new AbortController()
  const overdue = new Overdue(stop.signal, 20_000, time)
  stop.abort()
  overdue[Symbol.dispose]()
  await time.run(() => overdue.signal.aborted)
  expect(overdue.signal.aborted).toBe(false)
})
