import type { World } from './world.ts'

/**
 * What is wrong with the simulated Kafka after every change should have arrived. Pure.
 *
 * G1: every change is there. G2: within one writer a document's changes follow each other without gap or return, and
 * a later writer begins at or before the next one: a replayed suffix (G3). An earlier writer's record never comes
 * after a later writer's in one partition: it would stand inside the replay.
 */
export function judge(world: World): string[] {
  const found = [...world.violations]
  const expected = new Map<string, number[]>()
  world.history.forEach((key, index) => {
    const changes = expected.get(key) ?? []
    changes.push(index + 1)
    expected.set(key, changes)
  })
  const seen = new Map<string, { index: number; writer: number }>()
  world.partitions.forEach((records, partition) => {
    let writer = 0
    for (const record of records) {
      if (record.writer < writer) found.push(`G2: writer ${record.writer} after ${writer} in partition ${partition}`)
      writer = Math.max(writer, record.writer)
      const index = expected.get(record.key)?.indexOf(record.change) ?? -1
      if (index < 0) found.push(`G5: ${record.key} has no change ${record.change}`)
      const last = seen.get(record.key)
      const next = last ? last.index + 1 : 0
      if (index > next) found.push(`G2: ${record.key} jumps to change ${record.change}`)
      if (index < next && last?.writer === record.writer) found.push(`G3: ${record.key} repeats ${record.change}`)
      seen.set(record.key, { index, writer: record.writer })
    }
  })
  for (const [key, changes] of expected) {
    const last = seen.get(key)
    if (last?.index !== changes.length - 1) found.push(`G1: ${key} ends at ${last?.index}, not ${changes.length - 1}`)
  }
  return found
}

/** Records that stand in Kafka more than once. */
export function duplicates(world: World): number {
  const records = world.partitions.flat()
  return records.length - new Set(records.map(record => record.change)).size
}
