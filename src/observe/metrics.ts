import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { CounterName, GaugeName, HistogramName, Meter } from '../meter.ts'
import { CountedHistogram } from './counted-histogram.ts'

/** Meaning and labels of one metric, as `/metrics` shows them. */
interface Description {
  readonly help: string
  readonly labels: readonly string[]
}

const counters: Readonly<Record<CounterName, Description>> = {
  events_total: { help: 'Change events read, by operation.', labels: ['pipeline', 'operation'] },
  bytes_total: { help: 'Bytes of raw change events read.', labels: ['pipeline'] },
  records_total: { help: 'Records by what became of them.', labels: ['pipeline', 'outcome'] },
  lookups_total: { help: 'Documents looked up after their change, by result.', labels: ['pipeline', 'result'] },
  malformed_strings_total: { help: 'Strings with malformed UTF-8, written as U+FFFD.', labels: ['pipeline'] },
  dead_letters_total: { help: 'Changes sent to the dead letters, by reason.', labels: ['pipeline', 'reason'] },
  skipped_events_total: { help: 'Changes left out as onError says, by reason.', labels: ['pipeline', 'reason'] },
  sink_retries_total: { help: 'Sends that were tried again.', labels: ['pipeline'] },
  sink_throttled_seconds_total: { help: 'Waits that the broker asked for, by quota.', labels: ['pipeline'] },
  sink_errors_total: { help: 'Errors of the sink, by code.', labels: ['pipeline', 'code'] },
  source_reconnects_total: { help: 'Change streams that were opened again, by code.', labels: ['pipeline', 'code'] },
  source_history_lost_total: { help: 'Positions that the oplog no longer held.', labels: [] },
  fenced_total: { help: 'Slots that were lost to other workers before they were given back.', labels: [] },
}

const gauges: Readonly<Record<GaugeName, Description>> = {
  pipeline_lag_seconds: {
    help: 'Now minus the time up to which everything is acknowledged; absent until known.',
    labels: ['pipeline'],
  },
  pipeline_state: { help: '1 for the state that the pipeline is in, 0 for the others.', labels: ['pipeline', 'state'] },
  oplog_window_seconds: { help: 'Span of the oplog of the member read from.', labels: ['member'] },
  oplog_headroom_seconds: {
    help: 'Oplog window minus age of the durable position: time until changes are lost.',
    labels: ['pipeline', 'member'],
  },
  oplog_headroom_ratio: { help: 'Oplog headroom over oplog window.', labels: ['pipeline', 'member'] },
  checkpoint_age_seconds: { help: 'Now minus the time of the last saved checkpoint.', labels: ['pipeline'] },
  in_flight_records: { help: 'Records sent and not yet acknowledged.', labels: ['pipeline'] },
  in_flight_bytes: { help: 'Bytes of records sent and not yet acknowledged.', labels: ['pipeline'] },
  stage_busy_ratio: {
    help: 'Share of the last ten seconds in which the pipeline worked or waited on the stage; the largest limits it.',
    labels: ['pipeline', 'stage'],
  },
  slots_configured: { help: 'Slots of the deployment, as workers.slots says.', labels: [] },
  slots_owned: { help: 'Slots that this worker works on.', labels: [] },
  config_last_reload_successful: {
    help: '1 where the configuration file as last loaded is in effect, 0 where it was refused.',
    labels: [],
  },
  config_last_reload_success_timestamp_seconds: {
    help: 'When the configuration that is in effect was loaded, seconds since the Unix epoch.',
    labels: [],
  },
}

const histograms: Readonly<Record<HistogramName, Description & { readonly buckets: number[] }>> = {
  end_to_end_latency_seconds: {
    help: "From the change's commit in MongoDB to its acknowledgement by the sink.",
    labels: ['pipeline'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
  },
}

export interface Metrics {
  readonly meter: Meter
  /** Of the text: Prometheus' exposition format. */
  readonly contentType: string
  text(): Promise<string>
}

/**
 * A registry of its own with the contract's metrics, `build_info` and the Node process's. A label that the table above
 * does not name is a programmer's error and throws.
 */
export function createMetrics(options: { readonly version: string }): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const settings = (name: string, { help, labels }: Description) => ({
    name: `mongo2kafka_${name}`,
    help,
    labelNames: [...labels],
    registers,
  })
  new Gauge(settings('build_info', { help: 'Always 1.', labels: ['version', 'node'] })).set(
    { version: options.version, node: process.version },
    1,
  )
  const counter = mapValues(counters, (name, description) => new Counter(settings(name, description)))
  const gauge = mapValues(gauges, (name, description) => new Gauge(settings(name, description)))
  const histogram = mapValues(histograms, (name, description) =>
    new CountedHistogram({ ...settings(name, description), buckets: description.buckets }).register(registry),
  )
  const meter: Meter = {
    count: (name, labels, by = 1) => counter[name].inc(labels, by),
    gauge: (name, labels, value) => (value === undefined ? gauge[name].remove(labels) : gauge[name].set(labels, value)),
    observe: (name, labels, value, times = 1) => histogram[name].observe(labels, value, times),
  }
  return { meter, contentType: registry.contentType, text: () => registry.metrics() }
}

function mapValues<K extends string, V, R>(
  table: Readonly<Record<K, V>>,
  make: (name: K, value: V) => R,
): Record<K, R> {
  return Object.fromEntries((Object.keys(table) as K[]).map(name => [name, make(name, table[name])])) as Record<K, R>
}
