import { panelsOf } from './panel.ts'
import { failures } from './rows-of-failures.ts'
import { limits } from './rows-of-limits.ts'
import { keepingUp, untilLoss } from './rows-of-progress.ts'

/** The four questions of somebody who was woken, in this order. */
export const rows = [keepingUp, untilLoss, limits, failures] as const

/** A choice at the top of the dashboard, from the values of a label. */
function variable(name: string, metric: string, matchers: string): object {
  const query = `label_values(${metric}{${matchers}}, ${name})`
  return {
    name,
    type: 'query',
    label: name,
    datasource: { type: 'prometheus', uid: '$datasource' },
    definition: query,
    query: { query, refId: name },
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    // Series without the label belong to all as well.
    allValue: '.*',
    current: { selected: true, text: ['All'], value: ['$__all'] },
  }
}

/** The dashboard as Grafana imports it; later releases take over an older schema by themselves. */
export const dashboard = {
  uid: 'mongo2kafka',
  title: 'mongo2kafka',
  description: 'Are we keeping up, how long until loss, what limits us, what failed.',
  tags: ['mongo2kafka', 'mongodb', 'kafka'],
  schemaVersion: 39,
  editable: true,
  graphTooltip: 1,
  refresh: '30s',
  time: { from: 'now-6h', to: 'now' },
  templating: {
    list: [
      { name: 'datasource', type: 'datasource', label: 'Prometheus', query: 'prometheus', current: {} },
      variable('namespace', 'mongo2kafka_build_info', ''),
      variable('job', 'mongo2kafka_build_info', 'namespace=~"$namespace"'),
      variable('pipeline', 'mongo2kafka_pipeline_state', 'namespace=~"$namespace",job=~"$job"'),
    ],
  },
  annotations: { list: [] },
  panels: panelsOf(rows),
}
