import { stringify } from 'yaml'
import { defaults, rulesOf, template } from './alerts/rules.ts'
import { dashboard } from './dashboard/dashboard.ts'

const notice = 'Made by `node helm/main.ts`; do not edit.'

/** The files that are made from code, by their path in the chart. */
export const generated: Readonly<Record<string, string>> = {
  'files/rules.yaml': yaml(`${notice} Recording and alert rules with their default thresholds.`, rulesOf(defaults)),
  'files/rules.template.yaml': yaml(
    `${notice} The same rules, with tokens for what templates/_alerts.tpl fills in from the values.`,
    template,
  ),
  'files/rules.values.yaml': yaml(`${notice} What stands in values.yaml below prometheusRule.`, defaults),
  'files/dashboard.json': `${JSON.stringify(dashboard, null, 2)}\n`,
}

/** Texts of several lines as blocks, so that expressions can be read. */
function yaml(comment: string, value: unknown): string {
  return `# ${comment}\n${stringify(value, { lineWidth: 0 })}`
}
