import type { Entry, Log } from './kafka.ts'
import type { World } from './world.ts'

type Delivery = 'at-least-once' | 'exactly-once'

/**
 * What is wrong with the simulated Kafka after every change should have arrived. Pure.
 *
 * G1: every change is there. G2: within one writer a document's changes follow each other without gap or return, and
 * a later writer begins at or before the next one: a replayed suffix (G3). An earlier writer's record never comes
 * after a later writer's of the same slot in one partition: it would stand inside the replay. Exactly-once, as
 * read-committed consumers see it: no change twice (G4).
 */
export function judge(world: World, delivery: Delivery): string[] {
  const found: string[] = []
  const expected = new Map<string, number[]>()
  world.history.forEach((key, index) => {
    const changes = expected.get(key) ?? []
    changes.push(index + 1)
    expected.set(key, changes)
  })
  const seen = new Map<string, { index: number; writer: number }>()
  world.kafka.data.forEach((log, partition) => {
    const writers = new Map<number, number>()
    for (const { key, change, slot, writer } of visible(log, delivery)) {
      const latest = writers.get(slot) ?? 0
      if (writer < latest) found.push(`G2: writer ${writer} after ${latest} in partition ${partition}`)
      writers.set(slot, Math.max(writer, latest))
      const index = expected.get(key)?.indexOf(change) ?? -1
      if (index < 0) found.push(`G5: ${key} has no change ${change}`)
      const last = seen.get(key)
      const next = last ? last.index + 1 : 0
      if (index > next) found.push(`G2: ${key} jumps to change ${change}`)
      if (index < next && last?.writer === writer) found.push(`G3: ${key} repeats ${change}`)
      if (index < next && delivery === 'exactly-once') found.push(`G4: ${key} has ${change} twice`)
      seen.set(key, { index, writer })
    }
  })
  for (const [key, changes] of expected) {
    const last = seen.get(key)
    if (last?.index !== changes.length - 1) found.push(`G1: ${key} ends at ${last?.index}, not ${changes.length - 1}`)
  }
  return found
}

function visible(log: Log, delivery: Delivery): Entry[] {
  return delivery === 'exactly-once' ? log.committed() : log.committed(log.highWatermark)
}

/** Records that stand in Kafka more than once. */
export function duplicates(world: World, delivery: Delivery): number {
  const records = world.kafka.data.flatMap(log => visible(log, delivery))
  return records.length - new Set(records.map(({ change }) => change)).size
}
