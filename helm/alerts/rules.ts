import { type Alert, freshness, type Recording, runbookUrl } from './alert.ts'
import { alertsOfLag } from './alerts-of-lag.ts'
import { alertsOfLoss } from './alerts-of-loss.ts'
import { alertsOfWork } from './alerts-of-work.ts'
import { recordings } from './recordings.ts'

/** A rule as Prometheus' files have it; `key`, which only the template has, says whose settings fill its tokens. */
export interface Rule {
  readonly key?: string
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[]
}

/** What fills tokens, by name. */
export type Tokens = Readonly<Record<string, number | string>>

/** What is set for one alert: `enabled`, `for`, `severity`, and its thresholds. */
export type AlertSettings = Readonly<Record<string, number | string | boolean>>

/** What users may set; the same as the chart's values below `prometheusRule`. */
export interface RuleSettings {
  readonly runbookUrl: string
  readonly freshness: { readonly lagSeconds: number; readonly objective: number }
  readonly alerts: Readonly<Record<string, AlertSettings>>
}

/** In the order of their urgency. */
export const alerts: readonly Alert[] = [...alertsOfWork, ...alertsOfLag, ...alertsOfLoss].toSorted(
  (a, b) => rank(a) - rank(b),
)

export const defaults: RuleSettings = {
  runbookUrl,
  freshness,
  alerts: Object.fromEntries(
    alerts.map(alert => [
      alert.key,
      { enabled: true, for: alert.for, severity: alert.severity, ...alert.thresholds } satisfies AlertSettings,
    ]),
  ),
}

/** The rules with their tokens, as the chart's template reads them. One group: alerts use what is recorded before them. */
export const template: RuleFile = {
  groups: [{ name: 'mongo2kafka', rules: [...recordings.map(recordingRule), ...alerts.map(alertRule)] }],
}

/**
 * The rules as Prometheus reads them. `selector`: matchers without braces, for where several deployments are watched;
 * empty: whatever there is. The chart's `templates/_alerts.tpl` does the same.
 */
export function rulesOf({ runbookUrl, freshness, alerts: set }: RuleSettings, selector = ''): RuleFile {
  const common: Tokens = {
    runbookUrl,
    freshnessLagSeconds: freshness.lagSeconds,
    freshnessObjective: freshness.objective,
  }
  return {
    groups: template.groups.map(({ name, rules }) => ({
      name,
      rules: rules.flatMap(({ key, ...rule }) => {
        const settings: AlertSettings = key === undefined ? {} : (set[key] ?? {})
        return settings.enabled === false ? [] : [filledRule(rule, { ...common, ...tokensOf(settings) }, selector)]
      }),
    })),
  }
}

function rank({ severity }: Alert): number {
  return severity === 'critical' ? 0 : 1
}

function recordingRule({ record, expr }: Recording): Rule {
  return { record, expr }
}

function alertRule({ key, name, expr, summary, description }: Alert): Rule {
  return {
    key,
    alert: name,
    expr,
    for: '$(for)',
    labels: { severity: '$(severity)' },
    annotations: { summary, description, runbook_url: `$(runbookUrl)/${name}.md` },
  }
}

function tokensOf(settings: AlertSettings): Tokens {
  const { enabled: _, ...tokens } = settings
  return tokens as Tokens
}

function filledRule(rule: Rule, tokens: Tokens, selector: string): Rule {
  const fill = (text: string) => filled(text, tokens, selector)
  const fillAll = (texts: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, fill(text)]))
  return {
    ...rule,
    expr: fill(rule.expr),
    ...(rule.for && { for: fill(rule.for) }),
    ...(rule.labels && { labels: fillAll(rule.labels) }),
    ...(rule.annotations && { annotations: fillAll(rule.annotations) }),
  }
}

/** Throws where a token has no value: that is an error of the table. */
export function filled(text: string, tokens: Tokens, selector = ''): string {
  const selected =
    selector === ''
      ? text.replaceAll('{$(selector)}', '').replaceAll(',$(selector)}', '}')
      : text.replaceAll('$(selector)', selector)
  return selected.replaceAll(/\$\((\w+)\)/g, (_, name: string) => {
    const value = tokens[name]
    if (value === undefined) throw new Error(`nothing fills $(${name}) of: ${text}`)
    return String(value)
  })
}
