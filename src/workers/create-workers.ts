import type { BusyRatios } from '../busy.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Meter } from '../meter.ts'
import { FixedWorkers } from './fixed-workers.ts'
import type { Group, GroupTerms } from './group.ts'
import { GroupWorkers } from './group-workers.ts'
import { protocolName } from './messages.ts'
import { ownOrdinal, slotsByOrdinal } from './ordinal.ts'
import { Pauses } from './pauses.ts'
import type { Workers } from './workers.ts'

export interface AloneOptions {
  readonly coordination: 'none'
  readonly slots: number
}

export interface StaticOptions {
  readonly coordination: 'static'
  readonly slots: number
  /** undefined: the number that the host's name ends with. */
  readonly ordinal: number | undefined
  readonly replicas: number
  readonly hostname: string
}

export interface GroupOptions {
  readonly coordination: 'kafka'
  readonly slots: number
  /** This worker's, for people. It should outlive a restart: who comes back under it gets what it had, where that is free. */
  readonly name: string
  readonly deployment: string
  /** Identity of the MongoDB cluster: workers of another one are refused. */
  readonly cluster: string
  readonly sessionTimeoutMs: number
  /** Called once; connects when first asked. */
  readonly openGroup: (terms: GroupTerms) => Group
  /** Shown to the other workers, as of the last round. */
  readonly busy?: (() => BusyRatios | undefined) | undefined
  /** What people have paused, told to the other workers and heard from them; absent: nobody asks this worker. */
  readonly pauses?: Pauses | undefined
}

export interface WorkersParts {
  readonly clock: Clock
  readonly log: Logger
  readonly meter: Meter
}

/**
 * How this worker comes to its slots. Throws Configuration WORKERS_ORDINAL; that a group refuses the worker is only known
 * when it runs (WORKERS_MISMATCH, WORKERS_SESSION_TIMEOUT, WORKERS_UNAUTHORIZED).
 */
export function createWorkers(options: AloneOptions | StaticOptions | GroupOptions, parts: WorkersParts): Workers {
  const { coordination, slots } = options
  switch (coordination) {
    case 'none': {
      const owned = Array.from({ length: slots }, (_, slot) => slot)
      return new FixedWorkers({ coordination, slots, owned, name: null, workers: [] }, parts.meter)
    }
    case 'static': {
      const ordinal = ownOrdinal(options)
      const workers = slotsByOrdinal(options).map((owned, number) => ({ name: String(number), owned }))
      const { name, owned } = workers[ordinal]!
      return new FixedWorkers({ coordination, slots, owned, name, workers }, parts.meter)
    }
    case 'kafka': {
      const { name, sessionTimeoutMs, pauses = new Pauses(() => {}), busy = () => undefined } = options
      const group = options.openGroup(groupTerms(options))
      return new GroupWorkers({ slots, name, group, sessionTimeoutMs, pauses, busy, ...parts })
    }
  }
}

function groupTerms({ deployment, cluster, slots, sessionTimeoutMs }: GroupOptions): GroupTerms {
  return {
    groupId: `mongo2kafka.${deployment}.workers`,
    protocolType: 'mongo2kafka',
    protocolName: protocolName(cluster, slots),
    sessionTimeoutMs,
    // A round waits for nobody's drain, only for answers. Longer than a session: who was cut off just before it could
    // join must have given up by itself when its slots are given away.
    rebalanceTimeoutMs: 2 * sessionTimeoutMs,
    // A coordinator that is frozen has to be found out, and another one found, before the session is over.
    heartbeatLimitMs: sessionTimeoutMs / 5,
  }
}
