import { type Alert, jobLabels, pipelineLabels, workerLabels } from './alert.ts'

const down: Alert = {
  key: 'down',
  name: 'Mongo2kafkaDown',
  severity: 'critical',
  for: '1m',
  thresholds: { window: '5m' },
  expr: 'absent_over_time(mongo2kafka_build_info{$(selector)}[$(window)])',
  summary: 'No mongo2kafka has answered Prometheus for $(window).',
  description:
    'Either no worker runs, or Prometheus does not reach them. Nothing is delivered meanwhile, and the oplog headroom shrinks by a second each second; nothing is lost before it is used up. See the pods or the service, and the end of the log of the last run: it names an error code.',
}

/** Failed is for good, so it is told soon. Whatever else is not running is given time: it may be a long start. */
const pipelineNotRunning: Alert = {
  key: 'pipelineNotRunning',
  name: 'Mongo2kafkaPipelineNotRunning',
  severity: 'critical',
  for: '5m',
  thresholds: { window: '10m' },
  expr: `max by ${workerLabels} (mongo2kafka_pipeline_state{state="failed",$(selector)}) == 1
or (
  max_over_time(worker:mongo2kafka_running:max[$(window)]) == 0
  and on (namespace, job, instance) up
)`,
  summary: 'Pipeline {{ $labels.pipeline }} does not run on {{ $labels.instance }}.',
  description:
    'It has failed, or it has been starting or retrying for $(window) without ever running. `mongo2kafka status` shows its error code and what to do; each code has a runbook of its name. A failed pipeline does not start again by itself: correct the cause, then `mongo2kafka resume {{ $labels.pipeline }}`, or restart.',
}

const slotWithoutWorker: Alert = {
  key: 'slotWithoutWorker',
  name: 'Mongo2kafkaSlotWithoutWorker',
  severity: 'critical',
  for: '5m',
  thresholds: {},
  expr: 'job:mongo2kafka_slots_unowned:sum > 0',
  summary: 'Nobody works on {{ $value }} slots of {{ $labels.job }}.',
  description:
    'The changes of the documents of these slots are not delivered, in every pipeline; the others are. With static slots a worker is missing: see that as many run as workers.replicas says. With slots from Kafka the group cannot agree: see WORKERS_ codes in the logs. A worker that waits for MongoDB or Kafka at its start owns none.',
}

const slotsLost: Alert = {
  key: 'slotsLost',
  name: 'Mongo2kafkaSlotsLost',
  severity: 'warning',
  for: '0m',
  thresholds: { count: 3, window: '1h' },
  expr: `sum by ${jobLabels} (increase(mongo2kafka_fenced_total{$(selector)}[$(window)])) > $(count)`,
  summary: 'Workers of {{ $labels.job }} lose slots again and again.',
  description:
    'In the last $(window) {{ $value | humanize }} slots went to other workers before their owners gave them back. Each time costs a replay. Nothing is lost. Workers are too slow to say that they live: too little CPU (look at nodejs_eventloop_lag_p99_seconds), too little memory, or a network that comes and goes.',
}

const sinkThrottled: Alert = {
  key: 'sinkThrottled',
  name: 'Mongo2kafkaSinkThrottled',
  severity: 'warning',
  for: '15m',
  thresholds: { ratio: 0.3 },
  expr: `sum by ${pipelineLabels} (rate(mongo2kafka_sink_throttled_seconds_total{$(selector)}[5m])) > $(ratio)`,
  summary: 'Kafka makes pipeline {{ $labels.pipeline }} wait, {{ $value | humanize }} s in each second.',
  description:
    'A quota of the target is used up; more workers would not help. More than 1 means that several requests wait at once. If the lag grows, raise the quota of the user or client id, turn compression on, or, at OCI Streaming, order more partitions.',
}

const configRejected: Alert = {
  key: 'configRejected',
  name: 'Mongo2kafkaConfigRejected',
  severity: 'warning',
  for: '15m',
  thresholds: {},
  expr: 'min by (namespace, job, instance) (mongo2kafka_config_last_reload_successful{$(selector)}) == 0',
  summary: 'The configuration file of {{ $labels.instance }} was changed, and the change is not in force.',
  description:
    'The old configuration goes on. The file has an error, or it changes what only a restart can change; the log and the status page say which. At the next restart the worker would not start, or would start with what nobody has seen running yet.',
}

export const alertsOfWork: readonly Alert[] = [
  down,
  pipelineNotRunning,
  slotWithoutWorker,
  slotsLost,
  sinkThrottled,
  configRejected,
]
