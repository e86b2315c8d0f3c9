import type { MongoClient } from 'mongodb'
import type { Progress } from '../src/services/services.ts'
import type { Start } from './backlog.ts'
import type { Connector } from './connector.ts'
import type { Options } from './options.ts'
import type { Ours } from './ours.ts'
import type { Peer } from './peer.ts'
import type { Results } from './results.ts'
import type { Servers } from './servers.ts'
import type { Topics } from './topics.ts'

/** Everything that the scenarios share. */
export interface Bench {
  readonly options: Options
  readonly servers: Servers
  readonly client: MongoClient
  readonly topics: Topics
  readonly results: Results
  readonly peers: readonly Peer[]
  readonly ours: Ours
  /** Of the mixed backlog. */
  readonly start: Start
  readonly progress: Progress
  readonly signal: AbortSignal
}

/** In the order in which they run in every round. */
export function allConnectors({ peers, ours }: Bench): readonly Connector[] {
  return [...peers, ours]
}

/** A connector that fails in one run is told, and the other runs go on. Rejects once `signal` has aborted. */
export async function surviving(
  { signal, progress }: Pick<Bench, 'signal' | 'progress'>,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run()
  } catch (error) {
    signal.throwIfAborted()
    progress(`  failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}
