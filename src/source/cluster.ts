import type { Document, MongoClient } from 'mongodb'
import type { Clock } from '../clock.ts'
import { Configuration } from '../errors.ts'
import { runCommand } from './command.ts'

const oldestVersion = 6

/** What we must know of a deployment before anything is read from it. */
export interface Cluster {
  /** Stays the same through restarts, elections and changes of members. */
  readonly identity: string
  readonly version: string
}

/**
 * Looks at the deployment behind `client`. Throws Configuration for a standalone server (SOURCE_STANDALONE) and versions
 * before 6.0 (SOURCE_VERSION), and what the driver throws.
 */
export async function inspectCluster(
  client: MongoClient,
  clock: Clock,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<Cluster> {
  const options = { raw: false, deadlineMs, clock, signal }
  const admin = (command: Document) => runCommand(client.db('admin'), command, options)
  const hello = await admin({ hello: 1 })
  const sharded = hello.msg === 'isdbgrid'
  if (!sharded && typeof hello.setName !== 'string') {
    throw new Configuration('SOURCE_STANDALONE', 'MongoDB runs as a standalone server, which has no change streams')
  }
  const { version, versionArray } = await admin({ buildInfo: 1 })
  if (!(versionArray[0] >= oldestVersion)) throw new Configuration('SOURCE_VERSION', `MongoDB is version ${version}`)
  return { identity: sharded ? 'sharded' : await replicaSetIdentity(admin, hello.setName), version }
}

/** The set's own id; its name where the right to read the configuration is missing. */
async function replicaSetIdentity(admin: (command: Document) => Promise<Document>, setName: string): Promise<string> {
  try {
    const { config } = await admin({ replSetGetConfig: 1 })
    return `replicaSet:${setName}/${config.settings.replicaSetId}`
  } catch (error) {
    // Unauthorized: a user that may only read has no clusterMonitor.
    if (error instanceof Error && 'code' in error && error.code === 13) return `replicaSet:${setName}`
    throw error
  }
}
