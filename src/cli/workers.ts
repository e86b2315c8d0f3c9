import { hostname } from 'node:os'
import type { BusyRatios } from '../busy.ts'
import { KafkaGroup } from '../sink/kafka/group/kafka-group.ts'
import { createWorkers } from '../workers/create-workers.ts'
import type { GroupTerms } from '../workers/group.ts'
import type { Pauses } from '../workers/pauses.ts'
import type { Workers } from '../workers/workers.ts'
import type { Common } from './common.ts'
import { kafkaSettings } from './kafka-settings.ts'

/** What the other workers are told about this one. */
export interface Self {
  /** Of the admin server: tells workers of one host apart, and is the same after a restart. */
  readonly port: number
  readonly busy: () => BusyRatios | undefined
  /** Told to the other workers, and heard from them. */
  readonly pauses: Pauses
}

/** How this worker comes to its slots, as the configuration says. `cluster`: the MongoDB that is read. */
export function openWorkers(common: Common, cluster: string, { port, busy, pauses }: Self): Workers {
  const { config, clock, log, meter } = common
  const { slots, coordination, ordinal, replicas = 1, sessionTimeoutMs } = config.workers
  const parts = { clock, log, meter }
  switch (coordination) {
    case 'none':
      return createWorkers({ coordination, slots }, parts)
    case 'static':
      return createWorkers({ coordination, slots, ordinal, replicas, hostname: hostname() }, parts)
    case 'kafka': {
      const name = `${hostname()}:${port}`
      const settings = kafkaSettings(common)
      const openGroup = (terms: GroupTerms) => new KafkaGroup({ settings, terms, clock })
      const group = { slots, name, deployment: config.name, cluster, sessionTimeoutMs, openGroup, busy, pauses }
      return createWorkers({ coordination, ...group }, parts)
    }
  }
}
