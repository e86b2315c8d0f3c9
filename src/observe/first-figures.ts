import type { Meter } from '../meter.ts'

/**
 * What is known of the worker before it has done anything. Counters begin with zero: of one that appears with its first
 * increment nobody could see that it has increased, and that is what alerts ask.
 */
export function reportWorker(meter: Meter, slots: number): void {
  meter.gauge('slots_configured', {}, slots)
  meter.gauge('slots_owned', {}, 0)
  meter.count('source_history_lost_total', {}, 0)
}

/** The same of a pipeline. */
export function reportPipeline(meter: Meter, pipeline: string): void {
  meter.count('records_total', { pipeline, outcome: 'acknowledged' }, 0)
  meter.count('sink_retries_total', { pipeline }, 0)
  meter.count('sink_throttled_seconds_total', { pipeline }, 0)
  for (const reason of ['oversize', 'poison']) meter.count('dead_letters_total', { pipeline, reason }, 0)
}
