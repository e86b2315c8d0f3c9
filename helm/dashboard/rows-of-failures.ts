import type { Panel, Row } from './panel.ts'
import { ofJob, ofPipeline } from './queries.ts'

/** How often something happened in the last hour: events are rare, and a rate of them says nothing to anybody. */
function inAnHour(counter: string, by: readonly string[], matchers = ofPipeline): Panel['queries'] {
  const expr = `sum by (${by.join(', ')}) (increase(mongo2kafka_${counter}{${matchers}}[1h])) > 0`
  return [{ expr, legend: by.map(label => `{{${label}}}`).join(' ') }]
}

export const failures: Row = {
  title: 'What failed?',
  panels: [
    {
      title: 'Errors of the sink, in an hour, by code',
      description: 'Each code has a runbook of its name.',
      kind: 'timeseries',
      unit: 'none',
      columns: 12,
      queries: inAnHour('sink_errors_total', ['pipeline', 'code']),
    },
    {
      title: 'Sends that were tried again, in an hour',
      description: 'Usual while a leader moves or a broker restarts; nothing is lost by it.',
      kind: 'timeseries',
      unit: 'none',
      columns: 12,
      queries: inAnHour('sink_retries_total', ['pipeline']),
    },
    {
      title: 'Change streams that were opened again, in an hour',
      description: 'Usual at elections of MongoDB; nothing is lost by it.',
      kind: 'timeseries',
      unit: 'none',
      columns: 8,
      queries: inAnHour('source_reconnects_total', ['instance'], ofJob),
    },
    {
      title: 'Changes put aside or left out, in an hour',
      description: 'Dead letters wait for a person; skipped changes were left out because onError says so.',
      kind: 'timeseries',
      unit: 'none',
      columns: 8,
      queries: [
        ...inAnHour('dead_letters_total', ['pipeline', 'reason']),
        ...inAnHour('skipped_events_total', ['pipeline', 'reason']),
      ],
    },
    {
      title: 'Strings with malformed UTF-8, in an hour',
      description: 'Written with U+FFFD, the replacement character.',
      kind: 'timeseries',
      unit: 'none',
      columns: 8,
      queries: inAnHour('malformed_strings_total', ['pipeline']),
    },
    {
      title: 'Positions lost, in a day',
      description: 'The oplog no longer held them: changes are lost.',
      kind: 'stat',
      unit: 'none',
      columns: 6,
      limits: [1, 1.5],
      queries: [{ expr: `sum(increase(mongo2kafka_source_history_lost_total{${ofJob}}[1d]))`, legend: 'lost' }],
    },
    {
      title: 'Slots lost to others, in a day',
      description: 'A worker was frozen, cut off or too slow. Each costs a replay.',
      kind: 'stat',
      unit: 'none',
      columns: 6,
      limits: [1, 10],
      queries: [{ expr: `sum(increase(mongo2kafka_fenced_total{${ofJob}}[1d]))`, legend: 'slots' }],
    },
    {
      title: 'Configurations that were refused',
      description: 'Workers whose file was changed and whose change is not in force.',
      kind: 'stat',
      unit: 'none',
      columns: 6,
      limits: [1, 2],
      queries: [{ expr: `sum(1 - mongo2kafka_config_last_reload_successful{${ofJob}})`, legend: 'workers' }],
    },
    {
      title: 'Releases',
      description: 'Workers by what they run.',
      kind: 'stat',
      unit: 'none',
      columns: 6,
      queries: [{ expr: `sum by (version) (mongo2kafka_build_info{${ofJob}})`, legend: '{{version}}' }],
    },
  ],
}
