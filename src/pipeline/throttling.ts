import type { Meter } from '../meter.ts'
import type { Monitor } from './monitor.ts'

/** `meter`, which also tells each pipeline's monitor how long the broker makes its sink wait: for the status. */
export function withThrottling(meter: Meter, monitors: readonly Pick<Monitor, 'name' | 'throttled'>[]): Meter {
  return {
    count(name, labels, by) {
      meter.count(name, labels, by)
      if (name !== 'sink_throttled_seconds_total') return
      monitors.find(each => each.name === labels.pipeline)?.throttled((by ?? 1) * 1_000)
    },
    gauge: (name, labels, value) => meter.gauge(name, labels, value),
    observe: (name, labels, value, times) => meter.observe(name, labels, value, times),
  }
}
