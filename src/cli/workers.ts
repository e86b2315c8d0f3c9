import { hostname } from 'node:os'
import type { BusyRatios } from '../busy.ts'
import { createWorkers } from '../workers/create-workers.ts'
import type { Workers } from '../workers/workers.ts'
import type { Common } from './common.ts'

/** How this worker comes to its slots, as the configuration says. `cluster`: the MongoDB that is read. */
export function openWorkers(common: Common, cluster: string, busy: () => BusyRatios | undefined): Workers {
  const { config, clock, log, meter } = common
  const { slots, coordination, ordinal, replicas = 1, sessionTimeoutMs } = config.workers
  const parts = { clock, log, meter }
  switch (coordination) {
    case 'none':
      return createWorkers({ coordination, slots }, parts)
    case 'static':
      return createWorkers({ coordination, slots, ordinal, replicas, hostname: hostname() }, parts)
    case 'kafka': {
      const name = hostname()
      const openGroup = () => {
        throw new Error('not yet')
      }
      const group = { slots, name, deployment: config.name, cluster, sessionTimeoutMs, openGroup, busy }
      return createWorkers({ coordination, ...group }, parts)
    }
  }
}
