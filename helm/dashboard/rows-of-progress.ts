import { freshness } from '../alerts/alert.ts'
import type { Row } from './panel.ts'
import { byPipeline, ofJob, ofPipeline, stateNumber, stateTexts } from './queries.ts'

export const keepingUp: Row = {
  title: 'Are we keeping up?',
  panels: [
    {
      title: 'Largest lag',
      description: 'How late the latest pipeline is: now minus the time up to which everything is acknowledged.',
      kind: 'stat',
      unit: 's',
      columns: 6,
      limits: [120, 300],
      queries: [{ expr: `max(mongo2kafka_pipeline_lag_seconds{${ofPipeline}})`, legend: 'lag' }],
    },
    {
      title: 'Fresh in the last six hours',
      description:
        'The share of time in which no pipeline was more than five minutes late; where the lag was not known is left out.',
      kind: 'stat',
      unit: 'percentunit',
      columns: 6,
      limits: [0.99, 0.94],
      queries: [
        {
          expr: `avg_over_time((max(mongo2kafka_pipeline_lag_seconds{${ofPipeline}}) <= bool ${freshness.lagSeconds})[6h:1m])`,
          legend: 'fresh',
        },
      ],
    },
    {
      title: 'Pipelines that do not run',
      description:
        'Pipelines of a worker that are starting, trying again, failed or stopped. For a minute after a start that is usual.',
      kind: 'stat',
      unit: 'none',
      columns: 6,
      limits: [1, 2],
      queries: [
        {
          expr: `sum(mongo2kafka_pipeline_state{state=~"starting|retrying|failed|stopped",${ofPipeline}})`,
          legend: 'not running',
        },
      ],
    },
    {
      title: 'Slots without a worker',
      description: 'Nobody delivers the changes of their documents.',
      kind: 'stat',
      unit: 'none',
      columns: 6,
      limits: [1, 1.5],
      queries: [
        {
          expr: `sum(max by (namespace, job) (mongo2kafka_slots_configured{${ofJob}}) - sum by (namespace, job) (mongo2kafka_slots_owned{${ofJob}}))`,
          legend: 'slots',
        },
      ],
    },
    {
      title: 'Lag',
      description:
        'A rising line gains a second each second while nothing gets through; a falling one catches up. A gap: not known.',
      kind: 'timeseries',
      unit: 's',
      columns: 12,
      limits: [120, 300],
      queries: [
        { expr: `max ${byPipeline} (mongo2kafka_pipeline_lag_seconds{${ofPipeline}})`, legend: '{{pipeline}}' },
      ],
    },
    {
      title: 'From commit to acknowledgement',
      description:
        'Of the changes that arrived: half of them in less than p50, all but one of a hundred in less than p99.',
      kind: 'timeseries',
      unit: 's',
      columns: 12,
      queries: [0.5, 0.99].map(quantile => ({
        expr: `histogram_quantile(${quantile}, sum by (le, pipeline) (rate(mongo2kafka_end_to_end_latency_seconds_bucket{${ofPipeline}}[5m])))`,
        legend: `{{pipeline}} p${quantile * 100}`,
      })),
    },
    {
      title: 'Events read and records acknowledged, each second',
      description:
        'Both lines run together where nothing is filtered: what lies between them is on its way or was left out.',
      kind: 'timeseries',
      unit: 'ops',
      columns: 12,
      queries: [
        { expr: `sum ${byPipeline} (rate(mongo2kafka_events_total{${ofPipeline}}[5m]))`, legend: '{{pipeline}} read' },
        {
          expr: `sum ${byPipeline} (rate(mongo2kafka_records_total{outcome="acknowledged",${ofPipeline}}[5m]))`,
          legend: '{{pipeline}} acknowledged',
        },
      ],
    },
    {
      title: 'State',
      description: 'Of each pipeline on its worst worker.',
      kind: 'state-timeline',
      unit: 'none',
      columns: 12,
      texts: stateTexts,
      queries: [{ expr: stateNumber, legend: '{{pipeline}}' }],
    },
  ],
}

export const untilLoss: Row = {
  title: 'How long until loss?',
  panels: [
    {
      title: 'Least headroom',
      description: 'The time until MongoDB overwrites changes that are not delivered. At zero they are lost.',
      kind: 'stat',
      unit: 's',
      columns: 6,
      limits: [8 * 3600, 4 * 3600],
      queries: [{ expr: `min(mongo2kafka_oplog_headroom_seconds{${ofPipeline}})`, legend: 'headroom' }],
    },
    {
      title: 'Of the whole oplog',
      description: 'The headroom as a share of the oplog: one means that the pipeline has caught up.',
      kind: 'stat',
      unit: 'percentunit',
      columns: 6,
      max: 1,
      limits: [0.9, 0.5],
      queries: [{ expr: `min(mongo2kafka_oplog_headroom_ratio{${ofPipeline}})`, legend: 'ratio' }],
    },
    {
      title: 'In four hours, if it goes on like this',
      description: 'The headroom of the last hour, drawn on. Below zero: changes are lost within four hours.',
      kind: 'stat',
      unit: 's',
      columns: 6,
      limits: [3600, 0],
      queries: [
        {
          expr: `min(predict_linear(mongo2kafka_oplog_headroom_seconds{${ofPipeline}}[1h], 14400))`,
          legend: 'predicted',
        },
      ],
    },
    {
      title: 'Oldest checkpoint',
      description: 'A restart repeats what came after it.',
      kind: 'stat',
      unit: 's',
      columns: 6,
      limits: [300, 900],
      queries: [{ expr: `max(mongo2kafka_checkpoint_age_seconds{${ofPipeline}})`, legend: 'age' }],
    },
    {
      title: 'Oplog headroom',
      description: 'From the saved position back to the oldest entry of the oplog.',
      kind: 'timeseries',
      unit: 's',
      columns: 12,
      queries: [
        { expr: `min ${byPipeline} (mongo2kafka_oplog_headroom_seconds{${ofPipeline}})`, legend: '{{pipeline}}' },
      ],
    },
    {
      title: 'Oplog window',
      description:
        'What the oplog spans. It shrinks where MongoDB is written to faster: then the headroom shrinks without any lag.',
      kind: 'timeseries',
      unit: 's',
      columns: 12,
      queries: [{ expr: `min by (member) (mongo2kafka_oplog_window_seconds{${ofJob}})`, legend: '{{member}}' }],
    },
  ],
}
