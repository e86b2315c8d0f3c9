import { type Alert, pipelineLabels, workerLabels } from './alert.ts'

const unlessPaused = `unless on ${pipelineLabels} pipeline:mongo2kafka_paused:max == 1`

/** The same for both burn rates: the long window says that it matters, the short one that it still goes on. */
function burn(long: string, short: string): string {
  return `pipeline:mongo2kafka_stale:ratio${long} > $(burnRate) * (1 - $(freshnessObjective))
and on ${pipelineLabels} pipeline:mongo2kafka_stale:ratio${short} > $(burnRate) * (1 - $(freshnessObjective))
and on ${pipelineLabels} pipeline:mongo2kafka_stale:bool offset 30m`
}

const lagHigh: Alert = {
  key: 'lagHigh',
  name: 'Mongo2kafkaLagHigh',
  severity: 'warning',
  for: '10m',
  thresholds: { lagSeconds: 120 },
  expr: `pipeline:mongo2kafka_lag_seconds:max > $(lagSeconds)
${unlessPaused}`,
  summary: 'Pipeline {{ $labels.pipeline }} is {{ $value | humanizeDuration }} behind MongoDB.',
  description:
    'Consumers of {{ $labels.pipeline }} see changes {{ $value | humanizeDuration }} late; the limit is $(lagSeconds) s. Nothing is lost as long as the oplog headroom lasts. Look at what limits the pipeline (stage_busy_ratio, or "what would help" in `mongo2kafka status`), then at whether the lag grows or shrinks: if it shrinks, wait.',
}

/**
 * Acknowledged records are asked for too, and not the lag alone: of a million changes made in one second the lag grows
 * by a second each second until they are through.
 */
const stalled: Alert = {
  key: 'stalled',
  name: 'Mongo2kafkaStalled',
  severity: 'critical',
  for: '5m',
  thresholds: { lagSeconds: 120, window: '5m' },
  expr: `mongo2kafka_pipeline_lag_seconds{$(selector)} > $(lagSeconds)
and deriv(mongo2kafka_pipeline_lag_seconds{$(selector)}[$(window)]) > 0.9
unless on ${workerLabels} sum by ${workerLabels} (
  increase(mongo2kafka_records_total{outcome="acknowledged",$(selector)}[$(window)])
) > 0
unless on ${workerLabels} mongo2kafka_pipeline_state{state="paused",$(selector)} == 1`,
  summary: 'Pipeline {{ $labels.pipeline }} stands still, {{ $value | humanizeDuration }} behind MongoDB.',
  description:
    'For $(window) nothing of {{ $labels.pipeline }} was acknowledged on {{ $labels.instance }}, and MongoDB goes on. An idle pipeline does not do this: its position moves even where nobody changes anything. See `mongo2kafka status`: the state and the error say whether MongoDB or Kafka does not answer. The position is kept; do not delete anything.',
}

const freshnessBurnFast: Alert = {
  key: 'freshnessBurnFast',
  name: 'Mongo2kafkaFreshnessBurnFast',
  severity: 'critical',
  for: '2m',
  thresholds: { burnRate: 14.4 },
  expr: burn('1h', '5m'),
  summary: 'Pipeline {{ $labels.pipeline }} was late for {{ $value | humanizePercentage }} of the last hour.',
  description:
    'More than $(freshnessLagSeconds) s of lag counts as late, and it may be late for what is missing to $(freshnessObjective) of the time. At this rate, $(burnRate) times what is allowed, the allowance of a month is gone in two days. Find out what limits or stops the pipeline: `mongo2kafka status`.',
}

const freshnessBurnSlow: Alert = {
  key: 'freshnessBurnSlow',
  name: 'Mongo2kafkaFreshnessBurnSlow',
  severity: 'warning',
  for: '15m',
  thresholds: { burnRate: 6 },
  expr: burn('6h', '30m'),
  summary: 'Pipeline {{ $labels.pipeline }} was late for {{ $value | humanizePercentage }} of the last six hours.',
  description:
    'It is late again and again, by more than $(freshnessLagSeconds) s, $(burnRate) times as often as the objective of $(freshnessObjective) allows. That is no emergency: there is too little of something at busy times. The dashboard shows of what.',
}

const checkpointOld: Alert = {
  key: 'checkpointOld',
  name: 'Mongo2kafkaCheckpointOld',
  severity: 'warning',
  for: '5m',
  thresholds: { ageSeconds: 900 },
  expr: `max by ${pipelineLabels} (mongo2kafka_checkpoint_age_seconds{$(selector)}) > $(ageSeconds)
${unlessPaused}`,
  summary: 'Pipeline {{ $labels.pipeline }} has saved no position for {{ $value | humanizeDuration }}.',
  description:
    'A restart would repeat everything since then (at-least-once) or send it again in new transactions, and the oplog must still hold it. An idle pipeline saves its position too, so this is no quiet time. Either nothing gets through (then the other alerts say so), or the checkpoint store does not take writes: see the log for CHECKPOINT_ codes.',
}

export const alertsOfLag: readonly Alert[] = [lagHigh, stalled, freshnessBurnFast, freshnessBurnSlow, checkpointOld]
