import type { Entry, Log } from './kafka.ts'
import type { World } from './world.ts'

type Delivery = 'at-least-once' | 'exactly-once'

/**
 * What is wrong with the simulated Kafka after every change should have arrived. Pure.
 *
 * G1: every change is there, but those that MongoDB has lost and a person has given up. G2: within one writer a
 * document's changes follow each other without gap or return, and a later writer begins at or before the next one: a
 * replayed suffix (G3). An earlier writer's record never comes after a later writer's of the same slot in one partition:
 * it would stand inside the replay. Exactly-once, as read-committed consumers see it: no change twice (G4). What Kafka
 * refuses is a change of the dead letters instead, for which the same holds.
 *
 * A target that is read back fences nobody: there all this holds for consumers that keep the highest position of each
 * source and partition (docs/guarantees.md), and no change is there twice that a start could have found.
 */
export function judge(world: World, delivery: Delivery): string[] {
  const { kafka, history, refused, isReadBack } = world
  const expected = new Map<string, number[]>()
  const letters = new Map<string, number[]>()
  history.forEach((key, index) => {
    const into = refused.has(index + 1) ? letters : expected
    into.set(key, [...(into.get(key) ?? []), index + 1])
  })
  const of = (partitions: readonly Log[]) => partitions.map(log => seen(log, delivery, isReadBack))
  return [
    ...judgeTopic(of(kafka.data), expected, world, delivery),
    ...judgeTopic(of(kafka.deadLetters), letters, world, delivery),
    ...(isReadBack ? judgeRepeats(world) : []),
  ]
}

/** `partitions`: what consumers see of each. `expected`: by key, the numbers of its changes. */
function judgeTopic(
  partitions: readonly (readonly Entry[])[],
  expected: ReadonlyMap<string, readonly number[]>,
  { excused }: Pick<World, 'excused'>,
  delivery: Delivery,
): string[] {
  const found: string[] = []
  const latest = new Map<string, { index: number; writer: number }>()
  const misses = (key: string, from: number, to?: number): boolean =>
    expected
      .get(key)
      ?.slice(from, to)
      .some(change => !excused.has(change)) ?? false
  partitions.forEach((entries, partition) => {
    const writers = new Map<number, number>()
    for (const { key, change, slot, writer } of entries) {
      const before = writers.get(slot) ?? 0
      if (writer < before) found.push(`G2: writer ${writer} after ${before} in partition ${partition}`)
      writers.set(slot, Math.max(writer, before))
      const index = expected.get(key)?.indexOf(change) ?? -1
      if (index < 0) found.push(`G5: ${key} has no change ${change}`)
      const last = latest.get(key)
      const next = last ? last.index + 1 : 0
      if (index > next && misses(key, next, index)) found.push(`G2: ${key} jumps to change ${change}`)
      if (index < next && last?.writer === writer) found.push(`G3: ${key} repeats ${change}`)
      if (index < next && delivery === 'exactly-once') found.push(`G4: ${key} has ${change} twice`)
      latest.set(key, { index, writer })
    }
  })
  for (const [key, changes] of expected) {
    const last = latest.get(key)?.index ?? -1
    if (misses(key, last + 1)) found.push(`G1: ${key} ends at ${last}, not ${changes.length - 1}`)
  }
  return found
}

/** Our records in one partition, as its consumers see them. */
function seen(log: Log, delivery: Delivery, isReadBack: boolean): readonly Entry[] {
  const entries = visible(log, delivery)
  if (!isReadBack) return entries
  const highest = new Map<number, Buffer>()
  return entries
    .filter(({ slot, headers }) => {
      const position = headers?.['m2k.position']
      const before = highest.get(slot)
      if (!Buffer.isBuffer(position) || (before && position.compare(before) <= 0)) return false
      highest.set(slot, position)
      return true
    })
    .map(entry => ({ ...entry, writer: 0 })) // Such consumers need not know who wrote.
}

function visible(log: Log, delivery: Delivery): Entry[] {
  const entries = delivery === 'exactly-once' ? log.committed() : log.committed(log.highWatermark)
  return entries.filter(({ change }) => change > 0) // Not what others have written.
}

/** A start reads back what is there, unless retention has removed it or it lands only later. */
function judgeRepeats({ kafka, repeatable }: World): string[] {
  const times = new Map<number, number>()
  for (const log of [...kafka.data, ...kafka.deadLetters]) {
    for (const { change } of visible(log, 'at-least-once')) times.set(change, (times.get(change) ?? 0) + 1)
  }
  const repeated = [...times].filter(([change, count]) => count > 1 && !repeatable.has(change))
  return repeated.map(([change, count]) => `G3: change ${change} is there ${count} times, and could be read back`)
}

/** Records that stand in Kafka more than once. */
export function duplicates(world: World, delivery: Delivery): number {
  const records = [...world.kafka.data, ...world.kafka.deadLetters].flatMap(log => visible(log, delivery))
  return records.length - new Set(records.map(({ change }) => change)).size
}
