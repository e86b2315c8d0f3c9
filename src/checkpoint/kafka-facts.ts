import { Configuration } from '../errors.ts'
import { corrupt, type Fields, sealed, unsealed } from './format.ts'
import type { KafkaAccess } from './kafka-connection.ts'
import type { KafkaWriter } from './kafka-writer.ts'

const factsFormatVersion = 1
/** Of the record that holds them, in partition 0. No checkpoint's key: it names no slot. */
const factsKey = 'facts'

/** What a deployment is for good, from its first start on. */
export interface Facts {
  readonly deployment: string
  readonly slots: number
  /** Identity of the MongoDB that is read. */
  readonly cluster: string
}

export interface FactsOptions {
  readonly topic: string
  readonly facts: Facts
  /** Whether two identities can be of the same MongoDB. */
  readonly isSameCluster: (one: string, other: string) => boolean
}

/**
 * Writes the facts at the first start and verifies them at each later one: slots are what documents were dealt by, and
 * positions are of one MongoDB. Throws Configuration SLOTS_FIXED, SOURCE_OTHER_CLUSTER, CHECKPOINT_CORRUPT or
 * CHECKPOINT_NEWER for a stranger, Retryable CHECKPOINT_UNAVAILABLE, or a Fault of the reader.
 */
export async function verifyFacts(
  access: KafkaAccess,
  writer: KafkaWriter,
  options: FactsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { topic, facts } = options
  const before = await firstFacts(access, topic, signal)
  if (before !== undefined) return check(before, options)
  const own = sealed({ formatVersion: factsFormatVersion, ...facts })
  await writer.write([{ key: factsKey, partition: 0, bytes: own }], signal)
  // Of two deployments that start at once for the first time, the one whose facts lie first has the name.
  const first = await firstFacts(access, topic, signal)
  if (first === undefined) throw corrupt(topic, 'the facts that were written are not there')
  try {
    check(first, options)
  } catch (error) {
    // Compaction keeps the last record of a key: it must be theirs.
    await writer.write([{ key: factsKey, partition: 0, bytes: first.bytes }], signal)
    throw error
  }
}

interface Found {
  readonly bytes: Buffer
  readonly where: string
}

async function firstFacts({ reader }: KafkaAccess, topic: string, signal: AbortSignal): Promise<Found | undefined> {
  for await (const records of reader.readPartition(topic, 0, 0n, { isolation: 'read_uncommitted' }, signal)) {
    for (const { offset, key, value } of records) {
      if (value === null || String(key) !== factsKey) continue
      return { bytes: Buffer.from(value), where: `${topic}-0@${offset}` }
    }
  }
  return undefined
}

function check({ bytes, where }: Found, { topic, facts, isSameCluster }: FactsOptions): void {
  const { deployment, slots, cluster } = readFacts(unsealed(bytes, factsFormatVersion, where), where)
  if (deployment !== facts.deployment) throw corrupt(where, `it belongs to deployment ${deployment}`)
  if (slots !== facts.slots) {
    const message = `topic ${topic}: deployment ${deployment} was started with ${slots} slots, and ${facts.slots} are configured`
    throw new Configuration('SLOTS_FIXED', message)
  }
  if (!isSameCluster(cluster, facts.cluster)) {
    const message = `topic ${topic}: deployment ${deployment} reads MongoDB ${cluster}, and this is ${facts.cluster}`
    throw new Configuration('SOURCE_OTHER_CLUSTER', message)
  }
}

function readFacts({ deployment, slots, cluster }: Fields, where: string): Facts {
  if (typeof deployment === 'string' && typeof slots === 'number' && typeof cluster === 'string') {
    return { deployment, slots, cluster }
  }
  throw corrupt(where, 'it lacks deployment, slots or cluster')
}
