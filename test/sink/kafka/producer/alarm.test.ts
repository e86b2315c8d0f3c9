import { expect, test } from 'vitest'
import { Alarm } from '../../../../src/sink/kafka/producer/alarm.ts'
import { VirtualTime } from './virtual-time.ts'

test('rings at the earliest time that was asked for, and can be set again when it rings', async () => {
  const time = new VirtualTime(1)
  const startMs = time.nowMs()
  const rung: number[] = []
  const alarm: Alarm = new Alarm(time, () => {
    rung.push(time.nowMs() - startMs)
    if (rung.length === 1) alarm.set(startMs + 25)
  })
  alarm.set(startMs + 20)
  alarm.set(startMs + 30)
  alarm.set(startMs + 10)
  await time.run(() => false)
  expect(rung).toEqual([10, 25])
})

test('rings at once for a time that has passed, and not after it was stopped', async () => {
  const time = new VirtualTime(1)
  let rung = 0
  const alarm = new Alarm(time, () => {
    rung += 1
  })
  alarm.set(0)
  await time.run(() => false)
  expect(rung).toBe(1)
  alarm.set(time.nowMs() + 5)
  alarm.stop()
  await time.run(() => false)
  expect(rung).toBe(1)
})
