import { type Alert, jobLabels, pipelineLabels } from './alert.ts'

/**
 * A pipeline that has caught up has all of the oplog before it, a ratio of 1: however short that is, and however it
 * changes when another member becomes primary, it is not closing on anybody.
 */
const isBehind = `and on ${pipelineLabels} pipeline:mongo2kafka_oplog_headroom_ratio:min < $(ratio)`

/** A counter that appears with its first increment would never be seen to increase; its first value is the increase. */
function increases(counter: string): string {
  return `(
  (${counter} unless ${counter} offset $(window))
  or increase(${counter}[$(window)])
)`
}

const oplogHeadroomLow: Alert = {
  key: 'oplogHeadroomLow',
  name: 'Mongo2kafkaOplogHeadroomLow',
  severity: 'critical',
  for: '5m',
  thresholds: { hours: 4, ratio: 0.9 },
  expr: `pipeline:mongo2kafka_oplog_headroom_seconds:min < $(hours) * 3600
${isBehind}`,
  summary: 'Pipeline {{ $labels.pipeline }} loses changes in about {{ $value | humanizeDuration }}.',
  description:
    'That is how far the saved position of {{ $labels.pipeline }} is from the oldest entry of the oplog; less than $(hours) hours. When it is zero MongoDB has overwritten changes that were not delivered, and only a copy of the collection helps. First gain time: enlarge the oplog (replSetResizeOplog, at once and without a restart; the runbook has the command). Then find out why the pipeline is behind.',
}

const oplogWindowClosing: Alert = {
  key: 'oplogWindowClosing',
  name: 'Mongo2kafkaOplogWindowClosing',
  severity: 'critical',
  for: '15m',
  thresholds: { hours: 4, ratio: 0.9, window: '1h' },
  expr: `predict_linear(pipeline:mongo2kafka_oplog_headroom_seconds:min[$(window)], $(hours) * 3600) < 0
${isBehind}`,
  summary: 'Pipeline {{ $labels.pipeline }} will lose changes within $(hours) hours, if it goes on like this.',
  description:
    'Since $(window) the oplog overwrites its oldest entries faster than {{ $labels.pipeline }} delivers. It reaches the saved position within $(hours) hours. Enlarge the oplog now (replSetResizeOplog; the runbook has the command), then make the pipeline faster or the writers slower.',
}

const oplogWindowShort: Alert = {
  key: 'oplogWindowShort',
  name: 'Mongo2kafkaOplogWindowShort',
  severity: 'warning',
  for: '1h',
  thresholds: { hours: 8 },
  expr: `min by (namespace, job, member) (mongo2kafka_oplog_window_seconds{$(selector)}) < $(hours) * 3600`,
  summary: 'The oplog of {{ $labels.member }} reaches back only {{ $value | humanizeDuration }}.',
  description:
    'Everything is well now. But a stop at night would have to be repaired within {{ $value | humanizeDuration }}, or changes are lost; $(hours) hours are wanted. Enlarge the oplog in working hours (replSetResizeOplog). A replica set that was just made has a short oplog for its first hours; that is no fault.',
}

const historyLost: Alert = {
  key: 'historyLost',
  name: 'Mongo2kafkaHistoryLost',
  severity: 'critical',
  for: '0m',
  thresholds: { window: '1h' },
  expr: `sum by ${jobLabels} ${increases('mongo2kafka_source_history_lost_total{$(selector)}')} > 0
or pipeline:mongo2kafka_oplog_headroom_seconds:min <= 0`,
  summary: 'Changes are lost: the oplog no longer holds a saved position of {{ $labels.job }}.',
  description:
    'MongoDB has overwritten changes that {{ $labels.job }} had not delivered. The pipeline has stopped, and its topic lacks them. Nothing gets worse by the minute now. The log with SOURCE_HISTORY_LOST names the pipeline; the runbook says how to move it on and how to copy the collection anew.',
}

const deadLetters: Alert = {
  key: 'deadLetters',
  name: 'Mongo2kafkaDeadLetters',
  severity: 'warning',
  for: '0m',
  thresholds: { count: 0, window: '15m' },
  expr: `sum by (namespace, job, pipeline, reason) ${increases('mongo2kafka_dead_letters_total{$(selector)}')} > $(count)`,
  summary: 'Pipeline {{ $labels.pipeline }} has put changes aside ({{ $labels.reason }}).',
  description:
    'About {{ $value | humanize }} changes of the last $(window) went to the dead letters of {{ $labels.pipeline }}, because they can never pass as they are. Everything else goes on. Their documents are out of date for the consumers until somebody repairs them: the dead letters say which, and why.',
}

export const alertsOfLoss: readonly Alert[] = [
  oplogHeadroomLow,
  oplogWindowClosing,
  oplogWindowShort,
  historyLost,
  deadLetters,
]
