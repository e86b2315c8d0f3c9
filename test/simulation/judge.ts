import type { Entry, Log } from './kafka.ts'
import type { World } from './world.ts'

type Delivery = 'at-least-once' | 'exactly-once'

/**
 * What is wrong with the simulated Kafka after every change should have arrived. Pure.
 *
 * G1: every change is there. G2: within one writer a document's changes follow each other without gap or return, and
 * a later writer begins at or before the next one: a replayed suffix (G3). An earlier writer's record never comes
 * after a later writer's of the same slot in one partition: it would stand inside the replay. Exactly-once, as
 * read-committed consumers see it: no change twice (G4). What Kafka refuses is a change of the dead letters instead, for
 * which the same holds.
 */
export function judge({ kafka, history, refused }: World, delivery: Delivery): string[] {
  const expected = new Map<string, number[]>()
  const letters = new Map<string, number[]>()
  history.forEach((key, index) => {
    const into = refused.has(index + 1) ? letters : expected
    into.set(key, [...(into.get(key) ?? []), index + 1])
  })
  return [...judgeTopic(kafka.data, expected, delivery), ...judgeTopic(kafka.deadLetters, letters, delivery)]
}

/** `expected`: by key, the numbers of its changes. */
function judgeTopic(
  partitions: readonly Log[],
  expected: ReadonlyMap<string, readonly number[]>,
  delivery: Delivery,
): string[] {
  const found: string[] = []
  const seen = new Map<string, { index: number; writer: number }>()
  partitions.forEach((log, partition) => {
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
  const records = [...world.kafka.data, ...world.kafka.deadLetters].flatMap(log => visible(log, delivery))
  return records.length - new Set(records.map(({ change }) => change)).size
}
