import { expect, test } from 'vitest'
import { Lane, type LaneOwner } from '../../../../src/sink/kafka/producer/lane.ts'
import { PartitionQueue } from '../../../../src/sink/kafka/producer/partition-queue.ts'
import { ReadyLanes } from '../../../../src/sink/kafka/producer/ready-lanes.ts'

function owner(): LaneOwner {
  return {
    transactionalId: undefined,
    admits: () => true,
    seal: () => undefined,
    sent: () => undefined,
    answered: () => undefined,
    throttled: () => undefined,
    fail: () => undefined,
  }
}

const laneOf = (topic: string, its = owner()) => new Lane(its, topic, 0, new PartitionQueue(0))

/** One request after the other, each with at most one lane of a partition. */
function requests(ready: ReadyLanes): Lane[][] {
  const made: Lane[][] = []
  while (!ready.isEmpty) {
    const request: Lane[] = []
    ready.bringBack()
    for (let lane = ready.first; lane !== undefined; lane = ready.first) {
      if (request.some(({ name }) => name === lane.name)) {
        ready.putBehind()
        continue
      }
      ready.take(lane)
      expect(ready.has(lane)).toBe(false)
      request.push(lane)
    }
    made.push(request)
  }
  return made
}

test('lanes of one partition go one after the other, in the order of their coming, and hold up no other', () => {
  const [a, b, c, other] = [laneOf('t'), laneOf('t'), laneOf('t'), laneOf('u')]
  const ready = new ReadyLanes()
  for (const lane of [a, b, c, other]) ready.add(lane)
  expect(requests(ready)).toEqual([[a, other], [b], [c]])
})

test('a lane that was put behind is there, and is not added again', () => {
  const [a, b] = [laneOf('t'), laneOf('t')]
  const ready = new ReadyLanes()
  for (const lane of [a, b]) ready.add(lane)
  ready.take(a)
  ready.putBehind()
  expect([ready.has(a), ready.has(b), ready.first, ready.isEmpty]).toEqual([false, true, undefined, false])
  ready.add(b)
  expect(requests(ready)).toEqual([[b]])
})

test('a lane that was put behind can be removed, and all can', () => {
  const [a, b, c] = [laneOf('t'), laneOf('t'), laneOf('t')]
  const ready = new ReadyLanes()
  for (const lane of [a, b, c]) ready.add(lane)
  ready.putBehind()
  ready.putBehind()
  ready.remove(a)
  expect(ready.has(a)).toBe(false)
  expect(new Set(ready.clear())).toEqual(new Set([b, c]))
  expect([ready.isEmpty, ready.has(b)]).toEqual([true, false])
})

test('a lane that was withdrawn in its turn takes no turn of another', () => {
  const [a, b] = [laneOf('t'), laneOf('u')]
  const ready = new ReadyLanes()
  for (const lane of [a, b]) ready.add(lane)
  ready.remove(a)
  ready.take(a)
  expect(ready.first).toBe(b)
})

test('a lane that is back at once does not get before one that waits for the same partition', () => {
  const [busy, quiet] = [laneOf('t'), laneOf('t')]
  const ready = new ReadyLanes()
  const taken: (Lane | undefined)[] = []
  ready.add(busy)
  ready.add(quiet)
  for (let request = 0; request < 4; request++) {
    ready.bringBack()
    const lane = ready.first
    taken.push(lane)
    if (lane !== undefined) ready.take(lane)
    while (ready.first !== undefined) ready.putBehind()
    ready.add(busy) // It has more to send, always.
  }
  expect(taken).toEqual([busy, quiet, busy, busy])
})
