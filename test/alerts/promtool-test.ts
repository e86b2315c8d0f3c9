import { stringify } from 'yaml'
import type { Case, Look } from './case.ts'

/** The file that `promtool test rules` reads: in each case what fires, and that nothing else does. */
export function promtoolTest(cases: readonly Case[], rulesFile: string): string {
  return stringify({
    rule_files: [rulesFile],
    evaluation_interval: '1m',
    tests: cases.map(({ name, series, looks }) => ({
      name,
      interval: '1m',
      input_series: Object.entries(series).map(([full, values]) => ({ series: full, values })),
      promql_expr_test: looks.map(lookTest),
    })),
  })
}

function lookTest({ at, firing }: Look): object {
  return {
    // Severities are the business of who gets the alert; a table of their own has them.
    expr: 'sum without (severity) (ALERTS{alertstate="firing"})',
    eval_time: at,
    exp_samples: firing.map(alert => ({ labels: labelsOf(alert), value: 1 })),
  }
}

/** `Alert{a="b"}` as the labels of its series ALERTS. */
function labelsOf(alert: string): string {
  const [name = '', rest = ''] = alert.split('{')
  const own = rest.slice(0, -1)
  return `{alertname="${name}",alertstate="firing"${own === '' ? '' : ','}${own}}`
}
