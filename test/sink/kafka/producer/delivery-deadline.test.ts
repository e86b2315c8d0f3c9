import { expect, test } from 'vitest'
import { DeliveryDeadline } from '../../../../src/sink/kafka/producer/delivery-deadline.ts'
import type { Lane } from '../../../../src/sink/kafka/producer/lane.ts'
import { VirtualTime } from './virtual-time.ts'

/** A lane as the deadline sees it. */
function laneOf(name: string, stalledSinceMs: number | undefined) {
  return { name, queue: { stalledSinceMs } }
}

test('names the partition that has stood still longest, once it has for too long, and not before', async () => {
  const time = new VirtualTime(1)
  const startMs = time.nowMs()
  const late: string[] = []
  const lanes = [laneOf('moves', undefined), laneOf('slow', startMs), laneOf('stuck', startMs)]
  const deadline = new DeliveryDeadline({
    lanes: () => lanes as unknown as Lane[],
    limitMs: 1_000,
    clock: time,
    onLate: lane => late.push(`${lane.name} ${time.nowMs() - startMs}`),
  })
  deadline.begin(startMs)
  time.after(600, () => {
    lanes[1]!.queue.stalledSinceMs = startMs + 600
    lanes[2]!.queue.stalledSinceMs = startMs + 500
  })
  await time.run(() => late.length > 0, 60_000)
  expect(late).toEqual(['stuck 1500'])
})

test('is silent where nothing waits, and after its end', async () => {
  const time = new VirtualTime(1)
  const late: string[] = []
  const lanes = [laneOf('a', undefined)]
  const onLate = (lane: Lane) => late.push(lane.name)
  const deadline = new DeliveryDeadline({
    lanes: () => lanes as unknown as Lane[],
    limitMs: 1_000,
    clock: time,
    onLate,
  })
  deadline.begin(time.nowMs())
  await time.run(() => false, 5_000)
  lanes[0]!.queue.stalledSinceMs = time.nowMs()
  deadline.begin(time.nowMs())
  deadline.stop()
  await time.run(() => false, 5_000)
  expect(late).toEqual([])
})
