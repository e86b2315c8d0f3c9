import { remedies } from '../../src/errors.ts'
import type { PipelineState, PipelineStatus, WorkersStatus } from '../../src/status.ts'

/** A pipeline's status as it could be seen. */
export function status(name: string, state: PipelineState): PipelineStatus {
  return {
    name,
    state,
    error: null,
    lagMs: 12,
    positionMs: 1_700_000_000_000,
    checkpointSavedAtMs: 1_700_000_000_500,
    oplogWindowMs: 86_400_000,
    oplogHeadroomMs: null,
    inFlightRecords: 3,
    inFlightBytes: 1_800,
    records: 40,
    busy: { source: 0.25, encode: 0.125, sink: 0.0625 },
    limitedBy: null,
    throttledRatio: 0,
  }
}

export const failedStatus: PipelineStatus = {
  ...status('bad', 'failed'),
  error: { code: 'SINK_REJECTED', message: 'the topic is gone', remedy: remedies.SINK_REJECTED },
}

/** The only worker there is. */
export const alone: WorkersStatus = {
  coordination: 'none',
  slots: 1,
  name: null,
  state: 'working',
  owned: [0],
  workers: [],
}
