import { execFile } from 'node:child_process'
import { createHash, type Hash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { findKafka } from '../../src/services/download-kafka.ts'
import { options } from '../services/servers.ts'
import type { FetchedRecord } from './fetch-connection.ts'

const source = fileURLToPath(new URL('CommittedReader.java', import.meta.url))
const limitMs = 180_000
const outputLimitBytes = 512 << 20
/** The heap of a few batches, and half the start-up time without the optimizing compiler. */
const smallAndQuick = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
/** The first differences are enough for a person. */
const shownLimit = 10

/**
 * What Kafka's own consumer, in Java, sees of the topics: a line of topic, partition, offset and digest for each record
 * that is committed. Of the clients for Node none will do: kafkajs takes aborted transactions in the order in which
 * they ended for that in which they began, and @platformatic/kafka shows aborted records too. Needs a JDK: Java
 * compiles the reader as it starts it.
 */
export async function readByJava(brokers: readonly string[], topics: readonly string[]): Promise<string[]> {
  const jars = await findKafka(options())
  const args = [...smallAndQuick, '-cp', `${jars}/*`, source, brokers.join(','), ...topics]
  const limits = { timeout: limitMs, maxBuffer: outputLimitBytes }
  const { stdout } = await promisify(execFile)('java', args, limits)
  return stdout.split('\n').filter(line => line !== '')
}

/** The same line of a record that our reader saw. */
export function lineOf(topic: string, partition: number, { offset, key, value, headers }: FetchedRecord): string {
  const digest = createHash('sha256')
  for (const part of [key, value]) add(digest, part)
  for (const [name, content] of Object.entries(headers)) {
    add(digest, Buffer.from(name))
    add(digest, content)
  }
  return `${topic} ${partition} ${offset} ${digest.digest('hex')}`
}

/** Its length, -1 for null, and its bytes. */
function add(digest: Hash, part: Buffer | null): void {
  const length = Buffer.alloc(4)
  length.writeInt32BE(part?.length ?? -1)
  digest.update(length)
  if (part !== null) digest.update(part)
}

/** What one of two readers saw and the other did not, or in another order within a partition. Pure. */
export function differences(ours: readonly string[], theirs: readonly string[]): string[] {
  const found: string[] = []
  const [mine, others] = [byPartition(ours), byPartition(theirs)]
  for (const place of new Set([...mine.keys(), ...others.keys()])) {
    const [a, b] = [mine.get(place) ?? [], others.get(place) ?? []]
    const at = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i).find(i => a[i] !== b[i])
    if (at === undefined) continue
    const is = (line: string | undefined) => line ?? 'nothing more'
    found.push(`two readers differ at record ${at} of ${place}: ours has ${is(a[at])}, Java's has ${is(b[at])}`)
  }
  return found.slice(0, shownLimit)
}

function byPartition(lines: readonly string[]): Map<string, string[]> {
  return Map.groupBy(lines, line => line.split(' ', 2).join('-'))
}
