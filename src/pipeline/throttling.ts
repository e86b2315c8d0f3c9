import type { Meter } from '../meter.ts'

/** `meter`, which also tells each pipeline's monitor how long the broker makes its sink wait: for the status. */
export function withThrottling(
  meter: Meter,
  monitorOf: (pipeline: string) => { throttled(ms: number): void } | undefined,
): Meter {
  return {
    count(name, labels, by) {
      meter.count(name, labels, by)
      if (name !== 'sink_throttled_seconds_total' || labels.pipeline === undefined) return
      monitorOf(labels.pipeline)?.throttled((by ?? 1) * 1_000)
    },
    gauge: (name, labels, value) => meter.gauge(name, labels, value),
    observe: (name, labels, value, times) => meter.observe(name, labels, value, times),
  }
}
