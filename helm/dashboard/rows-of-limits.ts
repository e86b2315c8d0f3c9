import type { Row } from './panel.ts'
import { byPipeline, ofJob, ofPipeline } from './queries.ts'

export const limits: Row = {
  title: 'What limits us?',
  panels: [
    {
      title: 'Where the time goes',
      description:
        'The largest share limits the throughput. What is missing to 1 it waited for changes that nobody had made. Of the busiest worker.',
      kind: 'timeseries',
      unit: 'percentunit',
      columns: 12,
      max: 1,
      queries: [
        {
          expr: `max by (pipeline, stage) (mongo2kafka_stage_busy_ratio{${ofPipeline}})`,
          legend: '{{pipeline}} {{stage}}',
        },
      ],
    },
    {
      title: 'Waits that a quota asked for',
      description:
        'Seconds in each second; several requests may wait at once. More workers would wait as well: raise the quota, or compress.',
      kind: 'timeseries',
      unit: 's',
      columns: 12,
      queries: [
        {
          expr: `sum ${byPipeline} (rate(mongo2kafka_sink_throttled_seconds_total{${ofPipeline}}[5m]))`,
          legend: '{{pipeline}}',
        },
      ],
    },
    {
      title: 'On its way',
      description: 'Sent and not acknowledged. At limits.inFlightBytes MongoDB is not asked for more.',
      kind: 'timeseries',
      unit: 'bytes',
      columns: 12,
      queries: [{ expr: `sum ${byPipeline} (mongo2kafka_in_flight_bytes{${ofPipeline}})`, legend: '{{pipeline}}' }],
    },
    {
      title: 'Bytes read from MongoDB, each second',
      description: 'Of change events, as MongoDB sent them.',
      kind: 'timeseries',
      unit: 'Bps',
      columns: 12,
      queries: [
        { expr: `sum ${byPipeline} (rate(mongo2kafka_bytes_total{${ofPipeline}}[5m]))`, legend: '{{pipeline}}' },
      ],
    },
    {
      title: 'Slots of each worker',
      description: 'Who does how much. A worker without slots is a standby.',
      kind: 'timeseries',
      unit: 'none',
      columns: 8,
      stacked: true,
      queries: [{ expr: `mongo2kafka_slots_owned{${ofJob}}`, legend: '{{instance}}' }],
    },
    {
      title: 'CPU',
      description:
        'Cores. At about 1 the thread of a worker is full: more workers help, where there are slots for them.',
      kind: 'timeseries',
      unit: 'none',
      columns: 8,
      queries: [
        {
          expr: `rate(process_cpu_seconds_total{${ofJob}}[5m]) and on (namespace, job, instance) mongo2kafka_build_info{${ofJob}}`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'Memory',
      description: 'All of it; flat in the long run, whatever the load.',
      kind: 'timeseries',
      unit: 'bytes',
      columns: 8,
      queries: [
        {
          expr: `process_resident_memory_bytes{${ofJob}} and on (namespace, job, instance) mongo2kafka_build_info{${ofJob}}`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'How long one piece of work keeps the others waiting',
      description:
        'The 99th percentile. Above a second workers are late with their heartbeats and lose slots: give them more CPU.',
      kind: 'timeseries',
      unit: 's',
      columns: 12,
      limits: [0.1, 1],
      queries: [
        {
          expr: `nodejs_eventloop_lag_p99_seconds{${ofJob}} and on (namespace, job, instance) mongo2kafka_build_info{${ofJob}}`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'Documents looked up after their change, each second',
      description: 'Each costs a read in MongoDB. Collections that keep images need none.',
      kind: 'timeseries',
      unit: 'ops',
      columns: 12,
      queries: [
        {
          expr: `sum by (pipeline, result) (rate(mongo2kafka_lookups_total{${ofPipeline}}[5m]))`,
          legend: '{{pipeline}} {{result}}',
        },
      ],
    },
  ],
}
