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

/** A connector as it is entered in one scenario. */
export interface Entrant {
  readonly connector: Connector
  /** Its settings, in the tables. */
  readonly variant: string
}

/** What ours is entered with beside the peers, which are at-least-once as they are measured. */
export type Delivery = 'at-least-once' | 'exactly-once'

/** A variant of ours beside exactly-once as it is by default, and the settings that make it. */
export const fourSlots = { variant: 'exactly-once, four slots', settings: ['delivery=exactly-once', 'workers.slots=4'] }

/** In the order in which they run in every round. `settings` are further ones of ours in exactly-once. */
export function entrants(
  { peers, ours }: Bench,
  peerVariant: (peer: Connector) => string,
  deliveries: readonly Delivery[],
  settings: readonly string[] = [],
): Entrant[] {
  return [
    ...peers.map(connector => ({ connector, variant: peerVariant(connector) })),
    ...deliveries.map(variant => ({
      connector: ours.with([`delivery=${variant}`, ...(variant === 'exactly-once' ? settings : [])]),
      variant,
    })),
  ]
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
