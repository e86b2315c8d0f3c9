import { Configuration } from '../errors.ts'
import { corrupt, type Fields, sealed, unsealed } from './format.ts'
import type { OnceFound, OnceRecord } from './kafka-once.ts'

const factsFormatVersion = 1
/** No checkpoint's key: it names no slot. */
const factsKey = 'facts'

/** What a deployment is for good, from its first start on. */
export interface Facts {
  readonly deployment: string
  /** Documents were dealt by it. */
  readonly slots: number
  /** Identity of the MongoDB that the positions are of. */
  readonly cluster: string
}

/** `facts` as the record to write once. */
export function factsRecord(facts: Facts): OnceRecord {
  return { key: factsKey, bytes: sealed({ formatVersion: factsFormatVersion, ...facts }) }
}

/**
 * Throws Configuration CHECKPOINT_MISMATCH where `own` is a stranger to what is stored, CHECKPOINT_CORRUPT or
 * CHECKPOINT_NEWER. `isSameCluster`: whether two identities can be of the same MongoDB.
 */
export function verifyFacts(
  { bytes, where }: OnceFound,
  own: Facts,
  isSameCluster: (one: string, other: string) => boolean,
): void {
  const { deployment, slots, cluster } = readFacts(unsealed(bytes, factsFormatVersion, where), where)
  if (deployment !== own.deployment) throw corrupt(where, `it belongs to deployment ${deployment}`)
  const problem =
    slots !== own.slots
      ? `was started with ${slots} slots, and ${own.slots} are configured`
      : isSameCluster(cluster, own.cluster)
        ? undefined
        : `reads MongoDB ${cluster}, and this is ${own.cluster}`
  if (problem !== undefined) {
    throw new Configuration('CHECKPOINT_MISMATCH', `${where}: deployment ${deployment} ${problem}`)
  }
}

function readFacts({ deployment, slots, cluster }: Fields, where: string): Facts {
  if (typeof deployment === 'string' && typeof slots === 'number' && typeof cluster === 'string') {
    return { deployment, slots, cluster }
  }
  throw corrupt(where, 'it lacks deployment, slots or cluster')
}
