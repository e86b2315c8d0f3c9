import type { Clock } from './clock.ts'

/** Bounded exponential back-off with full jitter. */
export interface BackOff {
  readonly initialMs: number
  readonly maxMs: number
}

/**
 * The wait before attempt `attempt` (1 is the first retry), milliseconds: uniform between half and all of
 * `initialMs · 2^(attempt-1)`, at most `maxMs`. Jitter keeps many pipelines from returning in step.
 */
export function backOffMs(backOff: BackOff, attempt: number, clock: Clock): number {
  const ceilingMs = Math.min(backOff.maxMs, backOff.initialMs * 2 ** Math.min(attempt - 1, 30))
  return ceilingMs / 2 + (clock.random() * ceilingMs) / 2
}
