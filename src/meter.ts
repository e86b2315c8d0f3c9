/** Counters, gauges and the histogram of the contract, without the prefix `mongo2kafka_`. */
export type CounterName =
  | 'events_total'
  | 'bytes_total'
  | 'records_total'
  | 'lookups_total'
  | 'malformed_strings_total'
  | 'dead_letters_total'
  | 'skipped_events_total'
  | 'sink_retries_total'
  | 'sink_throttled_seconds_total'
  | 'sink_errors_total'
  | 'source_reconnects_total'
  | 'source_history_lost_total'
  | 'fenced_total'
export type GaugeName =
  | 'pipeline_lag_seconds'
  | 'pipeline_state'
  | 'oplog_window_seconds'
  | 'oplog_headroom_seconds'
  | 'oplog_headroom_ratio'
  | 'checkpoint_age_seconds'
  | 'in_flight_records'
  | 'in_flight_bytes'
  | 'stage_busy_ratio'
  | 'slots_configured'
  | 'slots_owned'
  | 'config_last_reload_successful'
  | 'config_last_reload_success_timestamp_seconds'
export type HistogramName = 'end_to_end_latency_seconds'
export type Labels = Readonly<Record<string, string>>

/** Where the stages report figures. Labels are few and bounded: pipeline, operation, outcome, member (never a document's). */
export interface Meter {
  count(name: CounterName, labels: Labels, by?: number): void
  /** undefined removes the series: an unknown value is absent, never zero (G8). */
  gauge(name: GaugeName, labels: Labels, value: number | undefined): void
  /** Counts `value` `times` times (once): equal observations, as the changes of one millisecond, cost one call. */
  observe(name: HistogramName, labels: Labels, value: number, times?: number): void
}

export const silentMeter: Meter = { count() {}, gauge() {}, observe() {} }
