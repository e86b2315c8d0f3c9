import { jobLabels, pipelineLabels, type Recording, workerLabels } from './alert.ts'

/** The longer window of a burn rate, and the shorter one that ends the alert soon after the trouble. */
const staleWindows = ['5m', '30m', '1h', '6h'] as const

const ofPipelines: readonly Recording[] = [
  {
    record: 'pipeline:mongo2kafka_lag_seconds:max',
    expr: `max by ${pipelineLabels} (mongo2kafka_pipeline_lag_seconds{$(selector)})`,
  },
  {
    record: 'pipeline:mongo2kafka_oplog_headroom_seconds:min',
    expr: `min by ${pipelineLabels} (mongo2kafka_oplog_headroom_seconds{$(selector)})`,
  },
  {
    record: 'pipeline:mongo2kafka_oplog_headroom_ratio:min',
    expr: `min by ${pipelineLabels} (mongo2kafka_oplog_headroom_ratio{$(selector)})`,
  },
  {
    record: 'pipeline:mongo2kafka_records:rate5m',
    expr: `sum by ${pipelineLabels} (rate(mongo2kafka_records_total{outcome="acknowledged",$(selector)}[5m]))`,
  },
  {
    record: 'pipeline:mongo2kafka_paused:max',
    expr: `max by ${pipelineLabels} (mongo2kafka_pipeline_state{state="paused",$(selector)})`,
  },
]

/** 1 where it does what it should on this worker, 0 where it starts, tries again, has failed or has stopped. */
const running: Recording = {
  record: 'worker:mongo2kafka_running:max',
  expr: `max by ${workerLabels} (mongo2kafka_pipeline_state{state=~"running|idle|paused|standby",$(selector)})`,
}

/** Slots that nobody works on; below zero for a moment where a frozen worker does not know yet that it lost some. */
const unowned: Recording = {
  record: 'job:mongo2kafka_slots_unowned:sum',
  expr: `max by ${jobLabels} (mongo2kafka_slots_configured{$(selector)})
- sum by ${jobLabels} (mongo2kafka_slots_owned{$(selector)})`,
}

/**
 * 1 where a pipeline is later than what counts as fresh, else 0. Where the lag is not known it is not fresh either,
 * unless the pipeline rests as it should (G8). While a person has paused it there is nothing to measure.
 */
const stale: Recording = {
  record: 'pipeline:mongo2kafka_stale:bool',
  expr: `(
  (pipeline:mongo2kafka_lag_seconds:max > bool $(freshnessLagSeconds))
  or (1 - max by ${pipelineLabels} (worker:mongo2kafka_running:max))
)
unless on ${pipelineLabels} pipeline:mongo2kafka_paused:max == 1`,
}

/** In the order in which they use each other: Prometheus evaluates the rules of a group one after the other. */
export const recordings: readonly Recording[] = [
  ...ofPipelines,
  running,
  unowned,
  stale,
  ...staleWindows.map(window => ({
    record: `pipeline:mongo2kafka_stale:ratio${window}`,
    expr: `avg_over_time(pipeline:mongo2kafka_stale:bool[${window}])`,
  })),
]
