import { positionBytes } from '../../src/encode/headers.ts'
import { packHeaders } from '../../src/record-headers.ts'
import type { PartitionReader } from '../../src/sink/kafka/reading/partition-reader.ts'
import type { ReadRecord } from '../../src/sink/kafka/reading/record-batches.ts'
import { Tails } from '../../src/sink/kafka/reading/tails.ts'
import type { Entry, Log } from './kafka.ts'
import { positionOf } from './mongo.ts'
import { call, type Place, type Schedule } from './schedule.ts'
import { deadLetterTopic, type World } from './world.ts'

/** Records that one answer brings. */
const fetchedAtOnce = 3

/** Far ahead of all of ours: who takes it for ours sends nothing any more. */
const foreignHeaders = {
  'm2k.source': 'sim/items/0',
  'm2k.position': positionBytes(0, positionOf(1_000), 0),
}

/** A target without transactions as it is read back: by the product, over partitions that answer slowly or not at all. */
export function tailReader(world: World, place: Place, epoch: () => number): Tails {
  const logOf = (topic: string, partition: number): Log =>
    (topic === deadLetterTopic ? world.kafka.deadLetters : world.kafka.data)[partition]!
  const endOf = (log: Log, signal: AbortSignal, onEnd = () => {}): Promise<number> => {
    const look = (): number => {
      onEnd()
      return log.highWatermark
    }
    return call(place, 'target.end', look, signal)
  }
  const reader: Pick<PartitionReader, 'offset' | 'readPartition'> = {
    offset: async (topic, partition, _at, signal) => BigInt(await endOf(logOf(topic, partition), signal)),
    async *readPartition(topic, partition, from, _options, signal) {
      const log = logOf(topic, partition)
      const end = await endOf(log, signal, () => log.readBack.set(place.slot, epoch()))
      for (let at = Number(from); at < end; ) {
        const fetched = await call(place, 'target.read', () => fetch(world, log, at, place.slot), signal)
        if (fetched.records.length > 0) yield fetched.records.filter(({ offset }) => offset < end)
        at = fetched.next
      }
    },
  }
  return new Tails(reader, true)
}

interface Fetched {
  readonly records: readonly ReadRecord[]
  /** Offset. */
  readonly next: number
}

/** From `from` on, or from the first that retention has left; nobody can know what was before. */
function fetch(world: World, log: Log, from: number, slot: number): Fetched {
  const at = Math.max(from, log.start)
  const found = log.entries.slice(at, at + fetchedAtOnce)
  const own = (entries: Log['entries']) => entries.filter(entry => entry !== 'marker' && entry.slot === slot) as Entry[]
  for (const { change } of own(log.entries.slice(from, log.start))) world.repeatable.add(change)
  // Whoever sent them may not have lived to hear of it.
  for (const { change } of own(log.entries.slice(from, at + found.length))) world.acknowledged.add(change)
  const records = found.flatMap((entry, i) => (entry === 'marker' ? [] : [recordOf(entry, at + i)]))
  return { records, next: at + found.length }
}

function recordOf({ key, change, headers = {} }: Entry, offset: number): ReadRecord {
  const value = Buffer.from(String(change))
  return { offset: BigInt(offset), timestampMs: change, key: Buffer.from(key), value, headers: packHeaders(headers) }
}

/** Another pipeline, and somebody who knows nothing of us, write to the same topics. */
export async function writeForeign(world: World, schedule: Schedule): Promise<void> {
  for (let i = Math.floor(schedule.random() * 12); i >= 0; i--) {
    await schedule.step('foreign record')
    const logs = [...world.kafka.data, ...world.kafka.deadLetters]
    const log = logs[Math.floor(schedule.random() * logs.length)]!
    const headers = schedule.random() < 0.7 ? foreignHeaders : {}
    const foreign = { key: 'items', change: 0, slot: -1, writer: 0, checkpoint: undefined, transaction: undefined }
    log.append(undefined, 0, [{ ...foreign, headers }])
  }
}

/** Kafka removes the beginning of its topics, whether anybody has read it or not. */
export function retain(world: World, schedule: Schedule): void {
  for (const log of [...world.kafka.data, ...world.kafka.deadLetters]) {
    log.start += Math.floor(schedule.random() * (log.highWatermark - log.start + 1))
  }
}
